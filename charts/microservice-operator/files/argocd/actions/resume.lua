-- Whatever changed while the service was paused is carried out now.
if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["microservice.dev/paused"] = nil
  if next(obj.metadata.annotations) == nil then
    obj.metadata.annotations = nil -- an empty table would come back as a list
  end
end
return obj
