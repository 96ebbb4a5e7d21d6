require "json"

# INCOMMENT an account
class Account < Base
  attr_reader :balance

  def initialize(balance)
    @balance = balance
  end

  def withdraw(amount)
    if amount > @balance
      INBLOCK.call
      raise ArgumentError, "INSTRING"
    end
    @balance -= amount
  end
end
