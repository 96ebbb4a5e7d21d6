--- The server: where it is, starting it for a buffer, and starting it again when it ends.
---
--- Rules: nothing here blocks; one message when there is no server, and one when it keeps ending.
local config = require('midfill.config')

local M = { status = nil, on_status = nil } ---@type { status: table?, on_status: fun()? }

local RESTART_WINDOW_S, MOST_RESTARTS = 180, 5
local ends = {} ---@type integer[]
local told = {} ---@type table<string, boolean>
local leaving = false
local polling = false

---@param message string
local function tell_once(message)
  if not told[message] then
    told[message] = true
    vim.schedule(function()
      vim.notify('midfill: ' .. message, vim.log.levels.WARN)
    end)
  end
end

--- The command, or nil.
---@return string[]?
function M.command()
  if config.options.cmd then
    return config.options.cmd
  end
  local found = vim.fn.exepath('lsp_server')
  -- Another program may be called lsp_server: ours lies beside `midfill`.
  if found ~= '' and vim.fn.executable(vim.fs.dirname(found) .. '/midfill') == 1 then
    return { found, '--stdio' }
  end
  local own = vim.fn.stdpath('data') .. '/midfill/venv/bin/lsp_server'
  return vim.fn.executable(own) == 1 and { own, '--stdio' } or nil
end

--- The `midfill` command line, beside the server.
---@return string?
function M.midfill()
  local command = M.command()
  local program = command and vim.fs.dirname(vim.fn.exepath(command[1])) .. '/midfill'
  return program and vim.fn.executable(program) == 1 and program or nil
end

--- The client of a buffer, or nil.
---@param buf integer
---@return vim.lsp.Client?
function M.client(buf)
  return vim.lsp.get_clients({ name = 'midfill', bufnr = buf })[1]
end

--- Whether a buffer is one to complete in.
---@param buf integer
---@return boolean
function M.wants(buf)
  local bo = vim.bo[buf]
  return vim.api.nvim_buf_is_loaded(buf)
    and bo.buftype == ''
    and bo.modifiable
    and not bo.readonly
    and not vim.tbl_contains(config.options.disabled_filetypes, bo.filetype)
    and vim.api.nvim_buf_line_count(buf) <= config.options.max_lines
end

local function on_exit(code, signal)
  if leaving or (code == 0 and signal == 0) then
    return
  end
  local now = os.time()
  ends = vim.tbl_filter(function(at)
    return now - at < RESTART_WINDOW_S
  end, ends)
  table.insert(ends, now)
  M.status = nil
  if #ends > MOST_RESTARTS then
    tell_once('the server ended six times in three minutes and is left off; see :checkhealth midfill')
    return
  end
  vim.defer_fn(function()
    for _, buf in ipairs(vim.api.nvim_list_bufs()) do
      M.attach(buf)
    end
  end, 1000 * 2 ^ (#ends - 1))
end

--- Start the server for a buffer, or use the one that runs.
---@param buf integer
function M.attach(buf)
  if leaving or not M.wants(buf) then
    return
  end
  local command = M.command()
  if not command then
    tell_once('no server was found: install it (pip install midfill), or set `cmd`; see :help midfill-install')
    return
  end
  local name = vim.api.nvim_buf_get_name(buf)
  local root = vim.fs.root and vim.fs.root(buf, { '.git', '.hg', 'pyproject.toml', 'package.json', 'Cargo.toml', 'go.mod' })
  vim.lsp.start({
    name = 'midfill',
    cmd = command,
    root_dir = root or (name ~= '' and vim.fs.dirname(name)) or vim.uv.cwd(),
    init_options = config.options.settings,
    settings = { midfill = config.options.settings },
    on_exit = vim.schedule_wrap(on_exit),
    on_init = function()
      M.poll()
    end,
  }, { bufnr = buf, silent = true })
end

--- Ask the server something.
---@param buf integer
---@param method string
---@param params table
---@param handler fun(err: any, result: any)
---@return integer? id, vim.lsp.Client?
function M.request(buf, method, params, handler)
  local client = M.client(buf)
  if not client then
    return nil, nil
  end
  local ok, id
  if vim.fn.has('nvim-0.11') == 1 then
    ok, id = client:request(method, params, handler, buf)
  else
    ok, id = client.request(method, params, handler, buf)
  end
  return ok and id or nil, client
end

---@param buf integer
---@param method string
---@param params table
function M.notify(buf, method, params)
  local client = M.client(buf)
  if client then
    if vim.fn.has('nvim-0.11') == 1 then
      client:notify(method, params)
    else
      client.notify(method, params)
    end
  end
end

---@param client vim.lsp.Client
---@param id integer
function M.cancel(client, id)
  if vim.fn.has('nvim-0.11') == 1 then
    client:cancel_request(id)
  else
    client.cancel_request(id)
  end
end

--- Run one of the server's commands.
---@param buf integer
---@param command string
---@param arguments any[]
function M.execute(buf, command, arguments)
  M.request(buf, 'workspace/executeCommand', { command = command, arguments = arguments }, function() end)
end

--- Ask for the status now, and every second while the model is being made ready.
function M.poll()
  if polling then
    return
  end
  local client = vim.lsp.get_clients({ name = 'midfill' })[1]
  local buf = client and next(client.attached_buffers)
  if not buf then
    if client then
      vim.defer_fn(M.poll, 200)
    end
    return
  end
  polling = true
  local sent = M.request(buf, 'midfill/status', {}, function(_, result)
    polling = false
    local before = M.status
    M.status = result or M.status
    if not result then
      return
    end
    if M.on_status and (not before or before.phase ~= result.phase) then
      M.on_status(before)
    end
    if vim.tbl_contains({ 'starting', 'fetching', 'quantizing', 'loading', 'down' }, result.phase) then
      vim.defer_fn(M.poll, 1000)
    end
    vim.cmd.redrawstatus()
  end)
  if not sent then
    polling = false
  end
end

function M.leave()
  leaving = true
end

return M
