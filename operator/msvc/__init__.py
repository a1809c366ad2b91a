"""`msvc`, also `kubectl msvc`: the operator's own core on the command line."""
