-- numbers as text, without one of them; nil where it was not among them
-- needs: numbers
local function without(list, number)
  local rest, found = {}, false
  for _, other in ipairs(numbers(list)) do
    if other == number then found = true else rest[#rest + 1] = other end
  end
  return found and table.concat(rest, ' ') or nil
end
