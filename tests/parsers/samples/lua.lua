local text = require("shop.text")

local M = {}

-- INCOMMENT clamps a number
function M.clamp(value, low, high)
  if value < low then
    return INBLOCK
  end
  print("INSTRING")
  return math.min(value, high)
end

return M
