"""A simulated payment provider outside the trust boundary."""
