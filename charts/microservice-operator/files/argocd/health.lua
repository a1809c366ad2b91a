-- Health of a MicroService for Argo CD, which has none for kinds that it does not know.
local function health(status, message)
  return { status = status, message = message or "" }
end

if obj.metadata.deletionTimestamp then
  return health("Progressing", "Being deleted")
end

local annotations = obj.metadata.annotations or {}
if annotations["microservice.dev/paused"] == "true" then
  return health("Suspended", "The operator is told to leave this service alone")
end

local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "Waiting for the operator to observe this generation")
end

local ready = nil
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    ready = condition
  elseif condition.type == "Stalled" and condition.status == "True" then
    return health("Degraded", (condition.reason or "Stalled") .. ": " .. (condition.message or ""))
  end
end

if ready == nil then
  return health("Progressing", "Waiting for the condition Ready")
end
if ready.status ~= "True" then
  return health("Progressing", ready.message)
end
if ready.reason == "Suspended" then
  return health("Suspended", ready.message)
end
return health("Healthy", ready.message)
