helm upgrade --install microservice-operator charts/microservice-operator --namespace microservice-operator \
  --create-namespace --values "$SCRATCH/values.yaml" --wait --timeout 2m
