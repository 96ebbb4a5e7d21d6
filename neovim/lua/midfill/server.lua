--- The one server of this Neovim: starts it, gives it documents, starts it again when it dies.
--- Called by `session` and `commands`. One server has all folders, since each holds a tokenizer and an index.
--- Rules: what it announces as inline completion is hidden from Neovim's own client, which would show every
--- suggestion a second time. A server that dies is said once, and started again after 1, 2, 4 ... seconds, six times
--- in a row at most.

local config = require('midfill.config')
local locate = require('midfill.locate')
local notice = require('midfill.notice')
local progress = require('midfill.progress')
local readiness = require('midfill.readiness')

local M = {}

local NAME = 'midfill'
local MAX_STARTS = 6
--- A server that has lived so long starts counting anew.
local SETTLED_MS = 60000
--- The log begins anew above this size.
local MAX_LOG_BYTES = 5 * 1024 * 1024

local state = {
  client_id = nil,
  started_at = 0,
  n_deaths = 0, -- in a row
  waiting = false, -- for the next start
  leaving = false,
  problem = nil, -- why there is no server, in a word
  told = {},
}

--- Say something once per session.
local function tell_once(kind, message, level)
  if not state.told[kind] then
    state.told[kind] = true
    notice.tell(message, level)
  end
end

--- The running client, or nil.
function M.client()
  local client = state.client_id and vim.lsp.get_client_by_id(state.client_id)
  return client and client.initialized and client or nil
end

--- The client, when it has this buffer.
function M.client_of(buf)
  local client = M.client()
  return client and vim.lsp.buf_is_attached(buf, client.id) and client or nil
end

--- Neovim 0.10's clients have plain functions where later ones have methods.
local function call(client, name, ...)
  if vim.fn.has('nvim-0.11') == 1 then
    return client[name](client, ...)
  end
  return client[name](...)
end

--- Send a request about a buffer. The answer goes to `handler(error, result)`; returns the request's number or nil.
function M.request(client, method, params, buf, handler)
  local ok, number = call(client, 'request', method, params, handler, buf)
  return ok and number or nil
end

--- Tell the server that nobody waits for an answer any more.
function M.cancel(client, number)
  call(client, 'cancel_request', number)
end

--- Send a notification.
function M.notify(client, method, params)
  call(client, 'notify', method, params)
end

--- Run one of the server's commands.
function M.execute(client, command, arguments)
  local params = { command = command, arguments = arguments }
  M.request(client, 'workspace/executeCommand', params, 0, function() end)
end

--- The server's log file, or nil when there is none.
function M.log_file()
  local path = config.current.log_file
  if path == nil or path == true then
    path = vim.fs.joinpath(vim.fn.stdpath('log'), 'midfill.log')
  end
  return path or nil
end

local function command_line()
  local found = locate.server()
  local log = M.log_file()
  if type(found) ~= 'table' or not log or vim.tbl_contains(found, '--log-file') then
    return found
  end
  vim.fn.mkdir(vim.fs.dirname(log), 'p')
  local stat = vim.uv.fs_stat(log)
  if stat and stat.size > MAX_LOG_BYTES then
    vim.uv.fs_unlink(log)
  end
  return vim.list_extend(vim.list_slice(found), { '--log-file', log })
end

local function may_have(buf)
  local filetypes = config.current.filetypes
  if type(filetypes) == 'function' then
    return filetypes(buf) and true or false
  end
  return not filetypes or vim.tbl_contains(filetypes, vim.bo[buf].filetype)
end

--- Why a buffer is left alone, in words, or nil when it is not.
function M.refusal(buf)
  if vim.bo[buf].buftype ~= '' then
    return ('the buffer is no file (buftype "%s")'):format(vim.bo[buf].buftype)
  elseif vim.api.nvim_buf_get_name(buf) == '' then
    return 'the buffer has no file name yet'
  elseif vim.bo[buf].readonly or not vim.bo[buf].modifiable then
    return 'the buffer is read-only'
  elseif vim.b[buf].midfill == false then
    return 'vim.b.midfill is false here'
  elseif vim.api.nvim_buf_get_offset(buf, vim.api.nvim_buf_line_count(buf)) > config.current.max_bytes then
    return ('the file has more than %d bytes (option max_bytes)'):format(config.current.max_bytes)
  elseif not may_have(buf) then
    return 'the option filetypes leaves this file out'
  end
end

--- Have the server read one more folder.
local function add_folder(client, root)
  local folders = client.workspace_folders or {}
  local uri = vim.uri_from_fname(root)
  for _, folder in ipairs(folders) do
    if folder.uri == uri then
      return
    end
  end
  local folder = { uri = uri, name = root }
  client.workspace_folders = vim.list_extend(folders, { folder })
  M.notify(client, 'workspace/didChangeWorkspaceFolders', { event = { added = { folder }, removed = {} } })
end

--- Have it read the folders of all the buffers that it has: those that came before it answered were not told.
local function add_folders(client)
  for buf in pairs(client.attached_buffers) do
    local root = vim.fs.root(buf, config.current.root_markers)
    if root then
      add_folder(client, root)
    end
  end
end

local function restart_later()
  local now = vim.uv.now()
  state.n_deaths = now - state.started_at > SETTLED_MS and 1 or state.n_deaths + 1
  if state.n_deaths >= MAX_STARTS then
    state.problem, state.waiting = 'the server ends again and again', true
    tell_once('gave up', state.problem .. ' (:Midfill log)', vim.log.levels.ERROR)
    return
  end
  tell_once('died', 'the server ended; it is started again (:Midfill log)', vim.log.levels.WARN)
  state.waiting = true
  vim.defer_fn(function()
    state.waiting = false
    M.attach_all()
  end, 1000 * 2 ^ (state.n_deaths - 1))
end

--- Start the process; its end is told to us, and not by Neovim's client in one message for each time.
local function connect(command)
  return function(dispatchers)
    local on_exit = dispatchers.on_exit
    dispatchers.on_exit = vim.schedule_wrap(function(_, _)
      on_exit(0, 0)
      state.client_id = nil
      progress.forget()
      readiness.forget()
      if not state.leaving then
        vim.schedule(restart_later)
      end
    end)
    return vim.lsp.rpc.start(command, dispatchers)
  end
end

local function client_config(command, root)
  local capabilities = vim.lsp.protocol.make_client_capabilities()
  capabilities.textDocument.inlineCompletion = { dynamicRegistration = false }
  return {
    name = NAME,
    cmd = type(command) == 'function' and command or connect(command),
    root_dir = root,
    workspace_folders = root and { { uri = vim.uri_from_fname(root), name = root } } or nil,
    capabilities = capabilities,
    init_options = vim.tbl_isempty(config.current.settings) and vim.empty_dict() or config.current.settings,
    settings = { midfill = config.current.settings },
    handlers = {
      ['window/showMessage'] = function(_, params)
        notice.tell(params.message, 5 - params.type)
        return vim.NIL
      end,
      ['$/midfill/grown'] = function(_, params)
        vim.schedule(function()
          require('midfill.session').grown(params.uri)
        end)
      end,
    },
    -- What was typed must not look like one edit: that is how the server tells typing from accepting.
    flags = { debounce_text_changes = 0 },
    on_init = function(client)
      client.server_capabilities.inlineCompletionProvider = nil
      vim.schedule(function()
        add_folders(client)
        readiness.watch(client, require('midfill.session').refresh_idle)
      end)
    end,
  }
end

--- Give the server a buffer, and start it when it does not run. Harmless when that was done already.
function M.attach(buf)
  if state.waiting or M.client_of(buf) or M.refusal(buf) then
    return
  end
  local command = command_line()
  if not command then
    state.problem = 'no server found'
    tell_once('missing', 'no server found, see :checkhealth midfill', vim.log.levels.ERROR)
    return
  end
  state.problem = nil
  local root = vim.fs.root(buf, config.current.root_markers)
  if not state.client_id then
    state.started_at = vim.uv.now()
  end
  state.client_id = vim.lsp.start(client_config(command, root), {
    bufnr = buf,
    silent = true,
    reuse_client = function(client, _)
      return client.name == NAME and not client:is_stopped()
    end,
  })
  local client = M.client()
  if client and root then
    add_folder(client, root)
  end
end

--- Give the server every buffer that is loaded.
function M.attach_all()
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buf) then
      M.attach(buf)
    end
  end
end

--- Why there is no server, in a word, or nil when it runs or is about to.
function M.problem()
  return state.problem
end

--- The user wants it after all: start it even if it ended again and again.
function M.try_again()
  state.n_deaths, state.waiting, state.problem, state.told = 0, false, nil, {}
  M.attach_all()
end

--- Neovim leaves: an ending server is no reason for a new one.
function M.leave()
  state.leaving = true
end

return M
