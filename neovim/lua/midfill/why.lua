--- The answer of `midfill/why` and of `midfill/status` as lines to read.
--- Called by `commands`. Rules: pure; fields that a server leaves out are left out.

local M = {}

local RUNGS = {
  instant = 'from what was ready; some of the window was missing or stale',
  window = 'all of the window took part',
  exact = 'all of the window took part, computed in one piece',
}

local function quoted(lines, title, text)
  if text and text ~= '' then
    vim.list_extend(lines, { '', title })
    for _, line in ipairs(vim.split(text, '\n', { plain = true })) do
      table.insert(lines, '    ' .. line)
    end
  end
end

local function snippets(lines, context)
  local inside = vim.tbl_filter(function(snippet)
    return snippet.tokens > 0
  end, context or {})
  if #inside > 0 then
    vim.list_extend(lines, { '', ('What it saw of other files (%d snippets)'):format(#inside) })
    for _, snippet in ipairs(inside) do
      local why = table.concat(snippet.sources, ' + ')
      table.insert(lines, ('    %5d tokens  %s  %s  %s'):format(snippet.tokens, snippet.path, snippet.about, why))
    end
  end
end

local function times(lines, told)
  local stages = {}
  for name, ms in pairs(told.timingsMs or {}) do
    if name ~= 'total' and ms >= 0.05 then
      table.insert(stages, { name, ms })
    end
  end
  table.sort(stages, function(a, b)
    return a[2] > b[2]
  end)
  local words = vim.tbl_map(function(stage)
    return ('%s %.1f'):format(stage[1], stage[2])
  end, stages)
  table.insert(lines, ('Time: %.1f ms (%s)'):format(told.latencyMs or 0, table.concat(words, ', ')))
end

--- One explanation. A field that JSON says is null comes as `vim.NIL`.
function M.lines(told)
  for name, value in pairs(told) do
    told[name] = value ~= vim.NIL and value or nil
  end
  local lines = { told.sentence, '', ('At %s:%d:%d, %s'):format(told.path, told.line, told.column, told.language) }
  if (told.nPrompt or 0) > 0 then
    local prompt = 'Prompt: %d tokens, %d reused, %d computed; %s'
    local rung = RUNGS[told.rung] or told.rung or ''
    table.insert(lines, prompt:format(told.nPrompt, told.nCached, told.nComputed, rung))
  end
  times(lines, told)
  if told.probability then
    table.insert(lines, ('It would be kept with a probability of %.0f%%'):format(100 * told.probability))
  end
  if told.unknownNames and #told.unknownNames > 0 then
    table.insert(lines, 'Nobody knows ' .. table.concat(told.unknownNames, ', '))
  end
  quoted(lines, 'The model wrote', told.raw)
  for _, step in ipairs(told.steps or {}) do
    quoted(lines, ('The filter %s made of it'):format(step.name), step.after ~= '' and step.after or '(nothing)')
  end
  quoted(lines, 'Suggested', told.text)
  snippets(lines, told.context)
  return lines
end

--- One answer to a request for next edits: what was thought of, and what the judge made of it.
function M.next_edit_lines(told)
  local lines = { '', told.sentence }
  for _, each in ipairs(told.proposals) do
    local place = ('%s:%d'):format(each.path, each.line)
    table.insert(lines, ('    %3.0f%%  %s  %s  %s'):format(100 * each.probability, place, each.layer, each.verdict))
  end
  return lines
end

--- The server's status in a few lines.
function M.status_lines(status)
  local lines = { status.message }
  table.insert(lines, 'The model: ' .. status.engine)
  if status.machine and status.machine ~= '' then
    table.insert(lines, 'This machine: ' .. status.machine)
  end
  local daemon = type(status.daemon) == 'table' and status.daemon or {}
  if daemon.last_error and daemon.last_error ~= '' then
    table.insert(lines, 'The last error of the model process: ' .. daemon.last_error)
  end
  for root, index in pairs(type(status.indexes) == 'table' and status.indexes or {}) do
    table.insert(lines, ('Index of %s: %s %s'):format(root, index.phase, index.message or ''))
  end
  return lines
end

return M
