--- Tells the server what became of a suggestion, in the names that Copilot's language server gave these messages.
--- Called by `session` and `accept`. Rules: nothing waits for the server; each message is sent once.

local encoding = require('midfill.encoding')
local server = require('midfill.server')

local M = {}

local last_shown = nil

--- The id of a suggestion and, for one of the others beside it, its number; nil for what has no command.
local function id_of(item)
  local arguments = item.command and item.command.arguments or {}
  return arguments[1], arguments[2] or 0
end

local function tell(method, params)
  local client = server.client()
  if client then
    server.notify(client, method, params)
  end
end

--- A suggestion is on the screen.
function M.shown(item)
  local id = id_of(item)
  if id and id ~= last_shown then
    last_shown = id
    tell('textDocument/didShowCompletion', { item = item })
  end
end

--- `text`, the beginning of the item's text, is in the buffer because the user accepted a part. The server knows
--- parts of its first suggestion only.
function M.partially_accepted(item, text)
  local id, number = id_of(item)
  if id and number == 0 then
    local length = encoding.units(text, #text, 'utf-16')
    tell('textDocument/didPartiallyAcceptCompletion', { item = item, acceptedLength = length })
  end
end

--- All of it is in the buffer.
function M.accepted(item)
  local client = server.client()
  if client and item.command then
    server.execute(client, item.command.command, item.command.arguments)
  end
end

--- The user did not want it.
function M.dismissed(item)
  if id_of(item) then
    tell('midfill/didDismissCompletion', { item = item })
  end
end

return M
