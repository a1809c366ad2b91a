-- The operator leaves the service alone: no repair, no rollout, not even a status, until it is resumed.
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["microservice.dev/paused"] = "true"
return obj
