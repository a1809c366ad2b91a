"""What is for sale and how many: products, quotes, stock."""
