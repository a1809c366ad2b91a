"""What `make demo` does: from nothing to an order that four services carried out."""
