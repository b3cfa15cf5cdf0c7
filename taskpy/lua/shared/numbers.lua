-- numbers as text, '3 5 8': all of them
local function numbers(list)
  local all = {}
  for number in string.gmatch(list or '', '%d+') do all[#all + 1] = number end
  return all
end
