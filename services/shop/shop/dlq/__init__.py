"""`shop dlq`: messages that could not be handled, and another try of them."""
