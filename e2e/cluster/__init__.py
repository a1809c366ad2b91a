"""Local Kubernetes clusters for the demo and the tests: `python -m e2e.cluster --help`."""
