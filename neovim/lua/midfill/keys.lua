--- Mappings that exist only while ghost text is shown, in its buffer, so that no key means anything else before and
--- after.
--- Called by `session`. Rules: a mapping of the buffer's own that was there is put back as it was.

local config = require('midfill.config')

local M = {}

local mapped = nil -- { buf, restore = { mapping ... }, keys = { lhs ... } }

local function actions()
  local accept, session = require('midfill.accept'), require('midfill.session')
  return {
    accept = function()
      return accept.by_key('all')
    end,
    accept_word = function()
      return accept.by_key('word')
    end,
    accept_line = function()
      return accept.by_key('line')
    end,
    next = function()
      session.cycle(1)
      return true
    end,
    previous = function()
      session.cycle(-1)
      return true
    end,
    dismiss = function()
      session.dismiss()
      return true
    end,
  }
end

--- The key does what it does without midfill: what was shown is gone.
local function pass_on(lhs)
  require('midfill.session').hide()
  vim.api.nvim_feedkeys(vim.keycode(lhs), 'mi', false)
end

--- Ghost text is shown in a buffer.
function M.enter(buf)
  if mapped and mapped.buf == buf then
    return
  end
  M.leave()
  mapped = { buf = buf, restore = {}, keys = {} }
  for name, action in pairs(actions()) do
    local lhs = config.current.keys[name]
    if lhs then
      local before = vim.fn.maparg(lhs, 'i', false, true)
      if before.buffer == 1 then
        table.insert(mapped.restore, before)
      end
      vim.keymap.set('i', lhs, function()
        if not action() then
          pass_on(lhs)
        end
      end, { buffer = buf, nowait = true, desc = 'midfill: ' .. name:gsub('_', ' ') })
      table.insert(mapped.keys, lhs)
    end
  end
end

--- Nothing is shown any more.
function M.leave()
  if not mapped then
    return
  end
  local old = mapped
  mapped = nil
  if not vim.api.nvim_buf_is_valid(old.buf) then
    return
  end
  for _, lhs in ipairs(old.keys) do
    pcall(vim.keymap.del, 'i', lhs, { buffer = old.buf })
  end
  vim.api.nvim_buf_call(old.buf, function()
    for _, mapping in ipairs(old.restore) do
      vim.fn.mapset('i', false, mapping)
    end
  end)
end

return M
