--- What the server is busy with (fetching and preparing the model, reading the workspace), for the statusline and
--- messages.
--- Called by the autocommand of `init` at `LspProgress`. Rules: the first word about preparing the model is said
--- once, since that takes minutes the first time; the rest is for the statusline.

local notice = require('midfill.notice')

local M = {}

local reports = {} -- by token: { title, message, percentage }
local told = false

--- One progress message.
function M.update(token, value)
  if value.kind == 'end' then
    reports[token] = nil
  else
    local report = reports[token] or {}
    reports[token] = {
      title = value.title or report.title,
      message = value.message or report.message,
      percentage = value.percentage or report.percentage,
    }
    if not told and (reports[token].message or ''):find('downloading', 1, true) then
      told = true
      notice.tell('fetching the model, which happens once (:Midfill status)')
    end
  end
  vim.cmd.redrawstatus()
end

--- What is going on in a few words, or nil. A per cent sign is doubled, as 'statusline' wants it.
function M.text()
  local _, report = next(reports)
  if not report then
    return nil
  end
  local share = report.percentage and report.percentage > 0 and (' %d %%%%'):format(report.percentage) or ''
  return ((report.message or report.title or ''):gsub('^midfill: ', '')) .. share
end

--- The server is gone, and with it what it was busy with.
function M.forget()
  reports = {}
end

return M
