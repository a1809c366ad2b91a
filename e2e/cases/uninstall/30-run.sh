# First the chart, then its namespace.
helm get values microservice-operator --namespace microservice-operator --output yaml >"$SCRATCH/values.yaml"
helm uninstall microservice-operator --namespace microservice-operator --wait
kubectl delete namespace microservice-operator --wait
