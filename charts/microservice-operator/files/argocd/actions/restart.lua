-- A new value replaces the pods one by one, as a rollout does.
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["microservice.dev/restart"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
