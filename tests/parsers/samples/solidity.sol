pragma solidity ^0.8.0;

import "./Owned.sol";

// INCOMMENT holds deposits
contract Vault is Owned {
    mapping(address => uint256) balances;

    function withdraw(uint256 amount) public {
        require(balances[msg.sender] >= amount, "INSTRING");
        if (amount > 0) {
            balances[msg.sender] -= INBLOCK;
        }
    }
}
