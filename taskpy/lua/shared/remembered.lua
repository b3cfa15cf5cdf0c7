-- the names of the last four calls, with this one; nil: it was among them, so this is a repeated call or a late copy
local function remembered(names, name)
  local all = {}
  for known in string.gmatch(names or '', '%S+') do
    if known == name then return nil end
    all[#all + 1] = known
  end
  all[#all + 1] = name
  return table.concat(all, ' ', math.max(1, #all - 3))
end
