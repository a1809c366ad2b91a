"""The cart, the order and its saga."""
