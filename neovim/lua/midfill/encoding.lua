--- Between byte columns, which Neovim counts in, and the position encoding that the client negotiated.
--- Rules: pure. Columns beyond the text are its end. Neovim 0.10 has other functions for it than 0.11.

local M = {}

local NEW = vim.fn.has('nvim-0.11') == 1

--- Units of `encoding` ("utf-8", "utf-16", "utf-32") in the first `n_bytes` bytes of `text`.
function M.units(text, n_bytes, encoding)
  n_bytes = math.min(n_bytes, #text)
  if encoding == 'utf-8' then
    return n_bytes
  elseif NEW then
    return vim.str_utfindex(text, encoding, n_bytes, false)
  end
  local utf32, utf16 = vim.str_utfindex(text, n_bytes)
  return encoding == 'utf-16' and utf16 or utf32
end

--- Bytes in the first `n_units` units of `text`.
function M.bytes(text, n_units, encoding)
  if encoding == 'utf-8' then
    return math.min(n_units, #text)
  elseif n_units >= M.units(text, #text, encoding) then
    return #text
  elseif NEW then
    return vim.str_byteindex(text, encoding, n_units, false)
  end
  return vim.str_byteindex(text, n_units, encoding == 'utf-16')
end

return M
