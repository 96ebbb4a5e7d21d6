package com.example.bank;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;

/** A bank account with its history of transactions. */
public final class Account {
    private final String iban;
    private final List<Transaction> history = new ArrayList<>();
    private BigDecimal balance = BigDecimal.ZERO;

    public Account(String iban) {
        this.iban = iban;
    }

    public void deposit(BigDecimal amount) {
        requirePositive(amount);
        balance = balance.add(amount);
        history.add(new Transaction(Transaction.Kind.DEPOSIT, amount));
    }

    public void withdraw(BigDecimal amount) {
        ▮
    }

    public BigDecimal balance() {
        return balance;
    }

    private static void requirePositive(BigDecimal amount) {
        if (amount.signum() <= 0) {
            throw new IllegalArgumentException("amount must be positive: " + amount);
        }
    }
}
