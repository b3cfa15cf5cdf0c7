-- the wid of a token, which is wid .. '.' .. number of the claim
local function owner(token)
  return token and string.match(token, '^(.*)%.%d+$')
end
