"""How long from a key to ghost text on the screen, in a real Neovim, with the real server and model warm.

usage: PYTHONPATH=. MIDFILL_TEST_NVIMS=... MIDFILL_TEST_SERVER=... python -m neovim.tests.latency [--keys N]

Types a file letter by letter, and before each letter takes the ghost text away, so that every key is a request. What is
measured lies inside of Neovim: from the change of the text (`on_bytes`) to the redraw that has the ghost text in it
(`on_end` of a decoration provider), in milliseconds. A terminal draws later than that, by a frame or so. Keys after
which nothing is suggested within the waiting time are counted, not timed. The last line is JSON.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from model.library.catalog import DEFAULT_MODEL, resolve
from model.library.paths import models_dir, stores_dir
from neovim.tests.conftest import SHAPES
from neovim.tests.terminal import Terminal
from tests.conftest import stop_daemons

WAIT_S = 3.0
READY = "require('midfill').statusline()"

# Notes in `midfill_latency` when the text changed, and when the first redraw with ghost text in it ended.
PROBE = """
(function()
  _G.midfill_latency = {}
  local space = vim.api.nvim_get_namespaces().midfill
  vim.api.nvim_buf_attach(0, false, { on_bytes = function()
    _G.midfill_latency = { changed = vim.uv.hrtime() }
  end })
  vim.api.nvim_set_decoration_provider(vim.api.nvim_create_namespace('midfill-latency'), {
    on_end = function()
      local now = _G.midfill_latency
      if now.changed and not now.shown and #vim.api.nvim_buf_get_extmarks(0, space, 0, -1, {}) > 0 then
        now.shown = vim.uv.hrtime()
      end
    end,
  })
end)()
"""
ELAPSED = "_G.midfill_latency.shown and (_G.midfill_latency.shown - _G.midfill_latency.changed) / 1e6 or ''"
# Whether the last answer was the rest of an earlier one, for which the model is not asked.
REUSED = """
(function()
  local server, told = require('midfill.server')
  server.request(server.client(), 'midfill/status', vim.empty_dict(), 0, function(_, result) told = result end)
  vim.wait(2000, function() return told ~= nil end, 5)
  return told.last.reused
end)()
"""
# Of every line a part is what nobody would guess, so that the model is asked, and a part is what it does suggest.
TYPED = [
    "def circumference(self):",
    "turns = 2 * math.pi",
    "return turns * self.radius",
    "",
    "def grown(self, by, limit=None):",
    "width = min(self.radius + by, limit or 1e9)",
    "return Circle(width)",
    "",
]


def borrowed_cache(folder: Path) -> Path:
    """A cache with the user's model and a daemon of its own."""
    row = resolve(DEFAULT_MODEL).row
    assert row is not None
    (folder / "models").mkdir(parents=True)
    for file in models_dir().glob(f"{row.file}*"):
        (folder / "models" / file.name).symlink_to(file)
    (folder / "stores").symlink_to(stores_dir())
    return folder


def measure(terminal: Terminal, n_keys: int) -> tuple[list[float], list[float], int]:
    """Milliseconds of the keys that the model was asked for, of those that it was not, and how many showed nothing."""
    terminal.wait(lambda: terminal.lua(READY).strip() == "midfill", "the model is ready")
    terminal.keys("G", "o")
    terminal.text("    ")
    terminal.wait_ghost("a first suggestion, which warms all")
    terminal.lua(" ".join(PROBE.split()))
    computed: list[float] = []
    reused: list[float] = []
    n_silent = 0
    letters = [letter for line in TYPED for letter in [*line, "Enter"]]
    for letter in (letters * (n_keys // len(letters) + 1))[:n_keys]:
        terminal.lua("require('midfill.session').hide()")
        if letter == "Enter":
            terminal.keys(letter)
        else:
            terminal.text(letter)
        end = time.monotonic() + WAIT_S
        while not (elapsed := terminal.lua(ELAPSED).strip()) and time.monotonic() < end:
            time.sleep(0.01)
        if elapsed:
            is_reused = terminal.lua(" ".join(REUSED.split())).strip() in ("true", "v:true")
            (reused if is_reused else computed).append(float(elapsed))
        else:
            n_silent += 1
    return computed, reused, n_silent


def summary(times: list[float]) -> dict[str, float | int]:
    """How many, their median and their 95th percentile."""
    if not times:
        return {"n": 0}
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return {"n": len(ordered), "p50": round(statistics.median(ordered), 1), "p95": round(p95, 1)}


def main() -> int:
    """Measure, and print one line of JSON for each Neovim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keys", type=int, default=100)
    args = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    for nvim in os.environ["MIDFILL_TEST_NVIMS"].split(":"):
        with tempfile.TemporaryDirectory() as folder:
            cache, workspace = borrowed_cache(Path(folder) / "cache"), Path(folder) / "workspace"
            (workspace / ".git").mkdir(parents=True)
            (workspace / "shapes.py").write_text(SHAPES)
            server = [os.environ["MIDFILL_TEST_SERVER"], "--stdio"]
            try:
                environment = {"MIDFILL_CACHE": str(cache)}
                with Terminal(nvim, workspace / "shapes.py", server, environment, Path(folder)) as terminal:
                    computed, reused, n_silent = measure(terminal, args.keys)
            finally:
                stop_daemons(cache)
        result = {
            "what": "key to visible ghost text, warm requests, ms",
            "nvim": Path(nvim).name,
            "model": DEFAULT_MODEL,
            "all": summary(computed + reused),
            "computed": summary(computed),
            "reused": summary(reused),
            "silent": n_silent,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "commit": commit.strip(),
        }
        sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
