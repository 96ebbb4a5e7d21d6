--- A language server inside of Neovim, for `unit.lua`: it remembers what it is told, and answers with what a test says.
--- Rules: only the server is fake; Neovim's client, its change tracking and the plugin are the real ones.

local M = {
  encoding = 'utf-16',
  messages = {}, -- { method, params } in order
  --- insertText of the items for the next requests; `covered` units right of the cursor are in their range.
  texts = {},
  covered = 0,
  phase = 'ready',
  last = vim.NIL, -- of `midfill/status`
  --- The edits of the next answers to `midfill/nextEdit`.
  next_edits = {},
  --- While true, answers to requests wait for `M.release()`.
  holds = false,
  held = {},
}

local n_requests = 0

local function items(params)
  local last = { line = params.position.line, character = params.position.character + M.covered }
  local range = { start = { line = params.position.line, character = 0 }, ['end'] = last }
  local selected = params.context.selectedCompletionInfo
  range.start = selected and selected.range.start or range.start
  local list = {}
  for index, text in ipairs(M.texts) do
    local arguments = { 'id-' .. n_requests, index > 1 and index - 1 or nil }
    local command = { title = 'Accepted', command = 'midfill.accepted', arguments = arguments }
    table.insert(list, { insertText = text, range = range, command = command })
  end
  return { items = params.context.triggerKind == 1 and list or { list[1] } }
end

local function answer_to(method, params)
  if method == 'initialize' then
    local sync = { openClose = true, change = 2 }
    local capabilities = { textDocumentSync = sync, positionEncoding = M.encoding, inlineCompletionProvider = {} }
    return { capabilities = capabilities }
  elseif method == 'textDocument/inlineCompletion' then
    return items(params)
  elseif method == 'midfill/nextEdit' then
    return { edits = M.next_edits, reason = '' }
  elseif method == 'midfill/status' then
    return { phase = M.phase, last = M.last }
  end
  return vim.NIL
end

--- Send the answers that were held.
function M.release()
  local held = M.held
  M.held, M.holds = {}, false
  for _, send in ipairs(held) do
    send()
  end
end

--- Tell the client something unasked.
function M.tell(method, params)
  M.dispatchers.notification(method, params)
end

--- What `vim.lsp.start` wants as `cmd`.
function M.connect(dispatchers)
  M.dispatchers = dispatchers
  local closing = false
  local server = {}
  function server.request(method, params, callback, notify_reply)
    n_requests = n_requests + 1
    local number = n_requests
    table.insert(M.messages, { method = method, params = params, id = number })
    local result = answer_to(method, params)
    local function send()
      vim.schedule(function()
        callback(nil, result)
        if notify_reply then
          notify_reply(number)
        end
      end)
    end
    if M.holds and method == 'textDocument/inlineCompletion' then
      table.insert(M.held, send)
    else
      send()
    end
    return true, number
  end
  function server.notify(method, params)
    table.insert(M.messages, { method = method, params = params })
    return true
  end
  function server.is_closing()
    return closing
  end
  function server.terminate()
    closing = true
    dispatchers.on_exit(0, 0)
  end
  return server
end

--- The parameters of all messages of a method.
function M.told(method)
  local found = {}
  for _, message in ipairs(M.messages) do
    if message.method == method then
      table.insert(found, message.params)
    end
  end
  return found
end

return M
