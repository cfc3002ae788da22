-- The health of every kind of komputer.komputer.ai, from what its conditions say.
local function health(status, message)
  return { status = status, message = message }
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "Is being deleted")
end
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "Waits for the operator to see generation " .. obj.metadata.generation)
end

local is, message = {}, {}
for _, condition in ipairs(obj.status.conditions or {}) do
  is[condition.type] = condition.status == "True"
  message[condition.type] = condition.message
end

if is.Stalled then
  return health("Degraded", message.Stalled)
end
-- v1alpha1 calls it suspended.
if obj.spec ~= nil and (obj.spec.suspend or obj.spec.suspended) then
  return health("Suspended", message.Ready)
end
if is.Ready and not is.Reconciling then
  return health("Healthy", message.Ready)
end
return health("Progressing", message.Ready)
