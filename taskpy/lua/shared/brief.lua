-- what a worker is told of a task whose attempt begins; `values` are those of the fields in BRIEF
-- answers: {queue, spec, acknowledged, checkpoint, wish to stop, attempts, retries, unknowns, lost, acknowledgements,
--   received, sent, children,
--   orders}; or, of a task that has no story yet, as most, {queue, spec, attempts}
-- needs: wish
local BRIEF = {
  'q', 'spec', 'ib', 'ibx', 'cp', 'ret', 'unk', 'crash', 'ck', 'in', 'on', 'stop', 'by', 'then', 'until', 'cn', 'od',
}
-- a task with no more fields than `accept` writes has no story: two of them are all there is to tell
local FRESH, PLAIN = 7, { 'q', 'spec' }
local function brief(values, attempts, time)
  local queue, spec, upto, beyond, checkpoint, retries, unknowns, lost, marks, received, sent = unpack(values, 1, 11)
  local orders = values[17]
  local messages, ends = upto or beyond or marks or received or sent, retries or unknowns or lost
  if not (messages or ends or checkpoint or values[12] or values[16] or orders) then
    return { queue or '', spec or '', attempts }
  end
  return {
    queue or '', spec or '', (upto or 0) .. ' ' .. (beyond or ''), checkpoint or '', wish(time, unpack(values, 12, 15)),
    attempts, retries or 0, unknowns or 0, lost or 0, marks or 0, received or 0, sent or 0, values[16] or 0,
    orders or 0,
  }
end
