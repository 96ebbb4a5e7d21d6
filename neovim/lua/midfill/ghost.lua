--- Draws ghost text with extmarks, and takes it away.
--- Rules: holds no suggestion. The buffer's text is never touched; at most one ghost is drawn anywhere, in one window.

local layout = require('midfill.layout')

local M = {}

local NAMESPACE = vim.api.nvim_create_namespace('midfill')
local GHOST, STRUCK = 'MidfillGhost', 'MidfillReplaced'
--- Neovim 0.10's way: a mark says that it is for the windows of its namespace alone.
local IS_SCOPED = vim.api.nvim__win_add_ns ~= nil

local drawn_in = nil

--- Define the highlight groups where the user's colors have not. Terminals of few colors get their gray, which
--- the colors that Neovim begins with do not say.
function M.define_highlights()
  local like = vim.fn.hlexists('ComplHint') == 1 and 'ComplHint' or 'NonText'
  local colors = vim.api.nvim_get_hl(0, { name = like, link = false })
  vim.api.nvim_set_hl(0, GHOST, { fg = colors.fg, ctermfg = colors.ctermfg or 8, default = true })
  vim.api.nvim_set_hl(0, STRUCK, { strikethrough = true, default = true })
  vim.api.nvim_set_hl(0, 'MidfillReplacement', { link = 'Added', default = true })
end

--- Take the ghost text away.
function M.clear()
  if drawn_in and vim.api.nvim_buf_is_valid(drawn_in) then
    vim.api.nvim_buf_clear_namespace(drawn_in, NAMESPACE, 0, -1)
  end
  drawn_in = nil
end

--- Scroll so far that `n_lines` below the cursor have room, as they will need it once accepted.
local function make_room(n_lines)
  local missing = n_lines - (vim.api.nvim_win_get_height(0) - vim.fn.winline())
  local most = vim.fn.winline() - 1 - vim.wo.scrolloff
  if n_lines > 0 and missing > 0 and most > 0 then
    local view = vim.fn.winsaveview()
    vim.fn.winrestview({ topline = view.topline + math.min(missing, most) })
  end
end

--- Only the current window shows what is drawn, though others may show its buffer. Neovim has this under names that
--- are not settled yet; one that had neither would show the ghost in all of them.
local function show_here()
  local here = vim.api.nvim_get_current_win()
  if vim.api.nvim__ns_set then
    vim.api.nvim__ns_set(NAMESPACE, { wins = { here } })
  elseif IS_SCOPED then
    for _, win in ipairs(vim.api.nvim_list_wins()) do -- a new window takes it over from the one that it was split from
      vim.api.nvim__win_del_ns(win, NAMESPACE)
    end
    vim.api.nvim__win_add_ns(here, NAMESPACE)
  end
end

--- Draw what is left of a suggestion at the cursor of the current window.
function M.draw(rest)
  M.clear()
  show_here()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local tail = vim.api.nvim_get_current_line():sub(col + 1)
  local found = layout.of(rest, tail, vim.fn.virtcol('.') - 1)
  drawn_in = vim.api.nvim_get_current_buf()
  local function mark(offset, details)
    details.scoped = IS_SCOPED or nil
    vim.api.nvim_buf_set_extmark(drawn_in, NAMESPACE, row - 1, col + offset, details)
  end
  for _, piece in ipairs(found.inline) do
    mark(piece.offset, { virt_text = { { piece.text, GHOST } }, virt_text_pos = 'inline', hl_mode = 'combine' })
  end
  if found.overlay then
    mark(0, { virt_text = { { found.overlay, GHOST } }, virt_text_pos = 'overlay' })
  end
  if found.struck > 0 then
    mark(0, { end_col = col + found.struck, hl_group = STRUCK })
  end
  if #found.lines > 0 then
    local lines = vim.tbl_map(function(line)
      return { { line.text, GHOST }, { line.tail, 'Normal' } }
    end, found.lines)
    mark(0, { virt_lines = lines })
    make_room(#lines)
  end
end

return M
