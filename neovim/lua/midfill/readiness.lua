--- Whether the model answers: the server's requests are answered empty until it does, and nothing tells when that ends.
--- Called by `server` and `session`. Rules: the server is asked at a start and after empty answers, not at every key;
--- while the model is being made ready, again and again, ever more seldom.

local M = {}

local FIRST_MS, MOST_MS = 200, 2000
--- After an empty answer of a model that was ready, it is looked at this much later at the earliest.
local AGAIN_MS = 5000

--- Phases in which nothing happens before the next request.
local RESTING = { asleep = true, failed = true }

local state = { ready = false, phase = '', host = '', watching = false, looked_at = 0 }

local function look(client, wait_ms, on_ready)
  local server = require('midfill.server')
  if server.client() ~= client then
    state.watching, state.ready = false, false
    return
  end
  server.request(client, 'midfill/status', vim.empty_dict(), 0, function(problem, result)
    state.looked_at = vim.uv.now()
    local was_ready = state.ready
    state.phase = result and result.phase or ''
    state.host = result and result.host or ''
    state.ready = problem ~= nil or state.phase == 'ready'
    if state.ready or RESTING[state.phase] then
      state.watching = false
      vim.cmd.redrawstatus()
      if state.ready and not was_ready then
        on_ready()
      end
      return
    end
    vim.defer_fn(function()
      look(client, math.min(2 * wait_ms, MOST_MS), on_ready)
    end, wait_ms)
  end)
end

--- Look until the model is ready, and then call `on_ready`. Harmless when somebody looks already.
function M.watch(client, on_ready)
  if not state.watching then
    state.watching = true
    look(client, FIRST_MS, on_ready)
  end
end

--- An answer was empty. It may be that the model is gone, or was asleep and wakes just now.
function M.doubt(client, on_ready)
  if not state.watching and (not state.ready or vim.uv.now() - state.looked_at > AGAIN_MS) then
    state.watching = true
    vim.defer_fn(function()
      look(client, FIRST_MS, on_ready)
    end, FIRST_MS)
  end
end

--- A new server has to be looked at.
function M.forget()
  state.ready, state.watching, state.phase, state.host = false, false, '', ''
end

--- Where code is sent, or nil while it stays on this machine.
function M.host()
  return state.host ~= '' and state.host or nil
end

--- What the model process does in a word, or nil when it is ready.
function M.text()
  return not state.ready and (state.phase ~= '' and state.phase or 'starting') or nil
end

return M
