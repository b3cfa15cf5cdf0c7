-- numbers as text, '3 5 8': all of them, and without one; nil where it was not among them
local function numbers(list)
  local all = {}
  for number in string.gmatch(list or '', '%d+') do all[#all + 1] = number end
  return all
end
local function without(list, number)
  local rest, found = {}, false
  for _, other in ipairs(numbers(list)) do
    if other == number then found = true else rest[#rest + 1] = other end
  end
  return found and table.concat(rest, ' ') or nil
end
