"""Platform: the facts of a cluster that builders need, set once by whoever installs the operator."""
