"""The web pages of the shop."""
