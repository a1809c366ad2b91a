-- What Argo CD offers for a MicroService: each action only writes an annotation that the operator reads.
local paused = (obj.metadata.annotations or {})["microservice.dev/paused"] == "true"
return {
  pause = { disabled = paused },
  resume = { disabled = not paused },
  restart = { disabled = paused },
}
