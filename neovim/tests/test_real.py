"""The real server and the real model in real Neovims.

Rules: what the model writes is not asserted to the letter, but that what was shown is what came into the text.
"""

import http.server
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.library.catalog import DEFAULT_MODEL, resolve
from model.library.paths import models_dir
from neovim.tests.conftest import Open
from neovim.tests.terminal import Terminal
from tests.conftest import daemons_of, stop_daemons

READY = "require('midfill').statusline()"
HEAD = "    def circumference(self):"


def shapes(open_file: Open) -> Terminal:
    """Shapes, a method's head typed at its end, and ghost text behind it."""
    terminal = open_file()
    terminal.wait(lambda: terminal.lua(READY).strip() == "midfill", "the model is ready")
    terminal.keys("G", "o")
    terminal.text(HEAD)
    terminal.keys("Enter")
    terminal.wait_ghost()
    return terminal


def body(terminal: Terminal) -> str:
    """What stands below the typed head."""
    lines = terminal.lines()
    return "\n".join(lines[lines.index(HEAD) + 1 :])


def test_ghost_text_appears_and_is_accepted_whole_and_undone(open_file: Open) -> None:
    terminal = shapes(open_file)
    ghost = terminal.ghost()
    assert "self.radius" in ghost
    assert ghost.splitlines()[0] in terminal.screen()
    assert "self.radius" not in body(terminal)
    terminal.capture("shown")
    before = body(terminal)
    terminal.keys("Tab")
    terminal.wait(lambda: body(terminal) == before + ghost, "all of it is accepted")
    terminal.capture("accepted")
    terminal.keys("Escape")
    terminal.keys("u")
    terminal.wait(lambda: body(terminal).strip() == "", "one undo takes it back")
    assert HEAD in terminal.lines()


def test_words_and_lines_are_accepted(open_file: Open) -> None:
    terminal = shapes(open_file)
    ghost, before = terminal.ghost(), body(terminal)
    terminal.keys("M-w")
    terminal.wait(lambda: body(terminal) == before + "return", "a word is accepted")
    assert terminal.ghost() == ghost.removeprefix("return")
    terminal.capture("word")
    terminal.keys("M-l")
    terminal.wait(lambda: body(terminal) == before + ghost.splitlines()[0], "the line is accepted")


def test_ghost_text_stays_while_it_is_typed(open_file: Open) -> None:
    terminal = shapes(open_file)
    ghost, before = terminal.ghost(), body(terminal)
    for n_typed in range(1, 6):
        terminal.text(ghost[n_typed - 1])
        terminal.wait(lambda n=n_typed: body(terminal) == before + ghost[:n], "it is typed")  # type: ignore[misc]
        assert terminal.ghost() == ghost[n_typed:]
    terminal.text("!")
    terminal.wait(lambda: terminal.ghost() != ghost[5:], "what disagrees takes it away")


def test_others_are_shown_in_turn(open_file: Open) -> None:
    terminal = shapes(open_file)
    first = terminal.ghost()
    terminal.keys("M-n")
    # A slow machine finds no second one in the time that there is for it, and says so.
    terminal.wait(
        lambda: (
            terminal.ghost() not in ("", first) or "no other suggestion" in terminal.lua("vim.fn.execute('messages')")
        ),
        "another one",
    )
    terminal.capture("another")
    if (second := terminal.ghost()) != first:
        before = body(terminal)
        terminal.keys("M-p")
        terminal.wait(lambda: terminal.ghost() == first, "the first one again")
        terminal.keys("M-n")
        terminal.wait(lambda: terminal.ghost() == second, "the second one again")
        terminal.keys("Tab")
        terminal.wait(lambda: body(terminal) == before + second, "it is accepted")


def test_what_is_dismissed_goes_and_tab_is_a_tab_again(open_file: Open) -> None:
    terminal = shapes(open_file)
    first = terminal.ghost().splitlines()[0]
    terminal.keys("C-]")
    terminal.wait(lambda: terminal.ghost() == "", "it is gone")
    terminal.wait(lambda: first not in terminal.screen(), "it is gone from the screen")
    before = body(terminal)
    terminal.keys("Tab")
    terminal.wait(lambda: body(terminal) != before, "Tab is typed")
    assert body(terminal).strip() == ""


def test_typing_on_while_the_model_computes_ends_with_an_answer_to_the_last_text(open_file: Open) -> None:
    terminal = shapes(open_file)
    terminal.keys("C-]")
    terminal.keys("C-u")
    before = body(terminal).splitlines()[0] if body(terminal) else ""
    for letter in "        return 2 * ma":
        terminal.text(letter)
    ghost = terminal.wait_ghost("an answer to the last text")
    assert ghost.startswith("th.")
    terminal.keys("Tab")
    terminal.wait(lambda: body(terminal) == before + "        return 2 * ma" + ghost, "it is accepted")


def test_a_killed_server_is_started_again_and_said_once(open_file: Open) -> None:
    terminal = shapes(open_file)
    terminal.keys("C-]")
    pid = int(terminal.lua("vim.tbl_keys(require('midfill.server').client().rpc)[1] and vim.fn.getpid()"))
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    os.kill(children[0], signal.SIGKILL)
    terminal.wait(lambda: "started again" in terminal.lua("vim.fn.execute('messages')"), "it is said")
    terminal.wait(lambda: terminal.lua(READY).strip() == "midfill", "it runs again")
    terminal.keys("Escape")
    terminal.keys("S")
    terminal.wait_ghost("ghost text of the new server")
    assert terminal.lua("vim.fn.execute('messages')").count("midfill") == 1
    terminal.capture("recovered")


def test_a_killed_model_process_is_started_again(open_file: Open, real_cache: Path) -> None:
    terminal = shapes(open_file)
    terminal.keys("C-]")
    stop_daemons(real_cache)
    terminal.wait(lambda: not daemons_of(real_cache), "it is gone")
    end = time.monotonic() + 60
    while terminal.ghost() == "" and time.monotonic() < end:
        terminal.keys("C-u")
        terminal.text("        re")
        time.sleep(0.5)  # as somebody who types on
    assert terminal.ghost() != ""


def test_what_was_accepted_is_known_to_the_server(open_file: Open) -> None:
    terminal = shapes(open_file)
    terminal.keys("Tab")
    terminal.wait(lambda: "self.radius" in body(terminal), "it is accepted")
    terminal.keys("Escape")
    terminal.text(":Midfill why")
    terminal.keys("Enter")
    # The whole of it: of a request behind the accepted one it may be longer than its window.
    terminal.wait(lambda: "Time:" in "\n".join(terminal.lines()), "the explanation is shown")
    terminal.capture("why")
    told = terminal.lua(
        "vim.json.encode(vim.lsp.get_clients({ name = 'midfill' })[1]:request_sync("
        "'midfill/why', { last = 20 }, 5000, 0).result.explanations)"
        if "0.10" not in terminal.lua("tostring(vim.version())")
        else "vim.json.encode(vim.lsp.get_clients({ name = 'midfill' })[1].request_sync("
        "'midfill/why', { last = 20 }, 5000, 0).result.explanations)"
    )
    assert '"fate":"accepted"' in told


def test_ctrl_c_leaves_no_ghost_text_and_tab_is_a_tab_again(open_file: Open) -> None:
    terminal = shapes(open_file)
    first = terminal.ghost().splitlines()[0].strip()
    terminal.keys("C-c")
    terminal.wait(lambda: first not in terminal.screen(), "it is gone from the screen")
    assert terminal.lua("require('midfill').is_visible()").strip() == "false"
    assert terminal.lua("vim.fn.maparg('<Tab>', 'i', false, true).buffer or 0").strip() == "0"


def test_one_of_two_windows_shows_the_ghost_text(open_file: Open) -> None:
    terminal = open_file(arguments=["-c", "vsplit"])
    terminal.wait(lambda: terminal.lua(READY).strip() == "midfill", "the model is ready")
    terminal.keys("G", "o")
    terminal.text(HEAD)
    terminal.keys("Enter")
    line = terminal.wait_ghost().splitlines()[0].strip()
    terminal.wait(lambda: line in terminal.screen(), "it is on the screen")
    assert terminal.screen().count(line) == 1
    assert terminal.screen().count(HEAD) == 2
    terminal.capture("split")


def test_both_projects_that_are_opened_at_once_are_indexed(open_file: Open, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / ".git").mkdir(parents=True)
    (other / "parcels.py").write_text("def ship_parcel(weight):\n    return weight\n")
    terminal = open_file(arguments=["-O", str(other / "parcels.py")])
    terminal.wait(lambda: terminal.lua(READY).strip() == "midfill", "the model is ready")
    call = ":" if "0.10" not in terminal.lua("tostring(vim.version())") else "."
    status = f"vim.lsp.get_clients({{ name = 'midfill' }})[1]{call}request_sync('midfill/status', {{}}, 5000, 0).result"

    def phases() -> dict[str, str]:
        indexes = json.loads(terminal.lua(f"vim.json.encode({status}.indexes)"))
        return {Path(root).name: index["phase"] for root, index in indexes.items()}

    terminal.wait(lambda: phases() == {"workspace": "ready", "other": "ready"}, "both are read")


class SlowHub(http.server.BaseHTTPRequestHandler):
    """The hub with the real file, which takes its time until `open` is set."""

    open = threading.Event()
    file: Path

    def do_GET(self) -> None:
        size = self.file.stat().st_size
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        with self.file.open("rb") as content:
            for _ in range(20):
                self.wfile.write(content.read(size // 50))
                time.sleep(0.1)
            self.open.wait(60)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def slow_hub(real_model: str) -> Iterator[str]:
    row = resolve(DEFAULT_MODEL).row
    assert row is not None
    SlowHub.file, SlowHub.open = models_dir() / row.file, threading.Event()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), SlowHub) as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{hub.server_port}"
        SlowHub.open.set()
        hub.shutdown()


def test_a_model_that_is_not_there_yet_is_fetched_and_the_progress_shown(
    open_file: Open, tmp_path: Path, slow_hub: str
) -> None:
    cache = tmp_path / "empty-cache"
    terminal = open_file(cache=cache, HF_ENDPOINT=slow_hub, HF_HUB_OFFLINE="0", PIP_NO_INDEX="1")
    terminal.wait(lambda: "downloading" in terminal.screen(), "the statusline tells of the download")
    terminal.wait(lambda: "%" in terminal.lua(READY), "and how far it is")
    assert "happens once" in terminal.lua("vim.fn.execute('messages')")
    terminal.capture("fetching")
    terminal.keys("G", "o")
    terminal.text("    def x")
    terminal.wait(lambda: terminal.lines()[-1] == "    def x", "typing goes on")
    stop_daemons(cache)


NEXT_EDITS = "{ nextEdit = { enabled = true }, model = '/nonexistent/model.gguf' }"
OFFERED = "(function() local e = require('midfill.next_edit').current() return e and e.range.start.line or -1 end)()"
INDEXED = (
    "(function() for _, answer in pairs(vim.lsp.buf_request_sync(0, 'midfill/status', {}, 2000) or {}) do "
    "for _, index in pairs(answer.result and answer.result.indexes or {}) do return index.phase end end end)()"
)
ATTACHED = "#vim.lsp.get_clients({ name = 'midfill' })"


def test_renaming_a_function_that_three_files_use_is_tab_after_tab(open_file: Open, tmp_path: Path) -> None:
    uses = {
        "b.py": "from a import load_rows\n\n\nx = load_rows()\n",
        "c.py": "from a import load_rows\n\n\ny = [load_rows()]\n",
    }
    text = "def load_rows():\n    return 1\n\n\nprint(load_rows())\n"
    terminal = open_file(text=text, name="a.py", options=NEXT_EDITS, others=uses)
    folder = tmp_path / "workspace"
    terminal.wait(lambda: terminal.lua(ATTACHED).strip() == "1", "the server is there")
    terminal.wait(lambda: terminal.lua(INDEXED).strip() == "ready", "the other files are read")
    terminal.keys("g", "g", "w", "c", "w")
    terminal.text("read_rows")
    terminal.keys("Escape")
    terminal.wait(lambda: terminal.lua(OFFERED).strip() == "4", "the use in this file is offered")
    terminal.capture("offered")
    assert "line 5" in terminal.screen()
    for place in (("a.py", "4"), ("b.py", "0"), ("b.py", "3"), ("c.py", "0"), ("c.py", "3")):
        terminal.wait(lambda: terminal.lua(OFFERED).strip() != "-1", f"{place} is offered")
        terminal.keys("Tab")  # goes there; in a line that the cursor is in already it is taken at once
        terminal.wait(lambda: terminal.lua("vim.fn.expand('%:t')").strip() == place[0], f"{place} is gone to")  # noqa: B023
        if terminal.lua(OFFERED).strip() == place[1]:
            terminal.capture(f"{place[0]}-{place[1]}")
            terminal.keys("Tab")
        line = int(place[1])
        terminal.wait(lambda: "read_rows" in terminal.lines()[line], f"{place} is taken")  # noqa: B023
    terminal.keys(":", "w", "a", "Enter")
    terminal.wait(lambda: all("read" in (folder / name).read_text() for name in uses), "all files are written")
    assert [(folder / name).read_text() for name in uses] == [each.replace("load", "read") for each in uses.values()]
