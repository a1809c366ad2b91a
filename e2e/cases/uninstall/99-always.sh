helm status microservice-operator --namespace microservice-operator || bash -eux e2e/cases/uninstall/60-run.sh
