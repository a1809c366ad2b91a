"""Money: payment methods, charges, refunds, ledger."""
