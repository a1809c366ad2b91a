"""Who you are: users, passwords, tokens."""
