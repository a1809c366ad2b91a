"""A Kubernetes operator that runs the whole life of a microservice."""
