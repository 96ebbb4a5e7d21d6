"""The real server and the real daemon over stdio, with a tiny model: processes, failures, garbage."""

import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from model.library.vocabulary import VOCABULARY
from model.link.spawn import EngineSettings, socket_path
from tests.conftest import daemons_of
from tests.lsp_server.cli.test_main import midfill
from tests.lsp_server.session import Session

pytestmark = pytest.mark.e2e
TEXT = "def add(a, b):\n    return "


def start(cwd: Path, model: Path, **more: object) -> Session:
    options = {"model": str(model), "maxWaitMs": 0}  # a busy machine is no failure
    return Session(cwd, options=options, folders=[cwd], **more)  # type: ignore[arg-type]


def test_two_servers_started_at_once_share_one_daemon(tiny_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    with start(tmp_path, tiny_model) as one, start(tmp_path, tiny_model) as two:
        first, second = one.wait_for_phase("ready"), two.wait_for_phase("ready")
        assert first["daemon"]["pid"] == second["daemon"]["pid"]
        assert daemons_of(tiny_cache) == [first["daemon"]["pid"]]


def test_before_the_model_is_ready_a_request_is_answered_at_once(
    tiny_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    with start(tmp_path, tiny_model) as session:
        uri = (tmp_path / "a.py").as_uri()
        session.open(uri, TEXT)
        assert session.complete(uri, 1, 11) == []
        status = session.status()
        assert status["outcomes"] == {"not_ready": 1}
        assert status["message"].startswith("nothing is shown yet")
        session.wait_for_phase("ready")


def test_progress_is_shown_while_the_model_is_prepared_and_ends(
    tiny_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    with start(tmp_path, tiny_model) as session:
        session.wait_for_phase("ready")
        time.sleep(0.3)
        shown = [m["params"] for m in session.messages if m["method"] == "$/progress"]
    # The index has a progress of its own, which may go on longer.
    model = {p["token"] for p in shown if p["value"].get("title") == "midfill: preparing the model"}
    kinds = [p["value"]["kind"] for p in shown if p["token"] in model]
    created = [m for m in session.messages if m["method"] == "window/workDoneProgress/create"]
    assert len(created) >= len([kind for kind in kinds if kind == "begin"])
    assert kinds.count("begin") == kinds.count("end")


def test_a_client_without_progress_is_sent_none(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    with start(tmp_path, tiny_model, progress=False) as session:
        session.wait_for_phase("ready")
    assert not [m for m in session.messages if "rogress" in m["method"]]


@pytest.fixture
def full_disk(ready_cache: Path) -> Iterator[Path]:
    """A cache whose folder of indexes lies on a disk of a few pages; only root may make one."""
    folder = ready_cache / "index"
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=160k", "midfill-test", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_with_a_full_disk_there_is_no_index_and_completions_go_on(
    full_disk: Path, tiny_model: Path, tmp_path: Path
) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    for number in range(200):
        (workspace / f"m{number}.py").write_text(f"def function_{number}(): ...\n\n\nclass Class{number}: ...\n")
    with start(workspace, tiny_model) as session:
        session.wait_for_phase("ready")
        deadline = time.monotonic() + 60
        while (index := session.status()["indexes"][str(workspace)])["phase"] != "failed":
            assert time.monotonic() < deadline, index
            time.sleep(0.1)
        assert "make room" in index["message"]
        uri = (workspace / "a.py").as_uri()
        session.open(uri, TEXT)
        session.complete(uri, 1, 11)
        assert session.status()["last"]["outcome"] in ("ok", "empty", "filtered")


def test_without_a_folder_for_indexes_completions_go_on(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    (ready_cache / "index").write_text("a file where the folder should be")
    with start(tmp_path, tiny_model) as session:
        session.wait_for_phase("ready")
        index = session.status()["indexes"][str(tmp_path)]
        assert (index["phase"], "cannot be written" in index["message"]) == ("failed", True)
        uri = (tmp_path / "a.py").as_uri()
        session.open(uri, TEXT)
        session.complete(uri, 1, 11)
        assert session.status()["last"]["outcome"] in ("ok", "empty", "filtered")


@pytest.mark.parametrize("through", ["cwd", "PYTHONPATH"])
def test_nothing_of_a_hostile_workspace_is_imported(
    tiny_cache: Path, tiny_model: Path, tmp_path: Path, through: str
) -> None:
    workspace, marker = tmp_path / "w", tmp_path / "imported"
    for name in ("model/__init__.py", "evals/__init__.py", "completion/__init__.py", "msgpack.py", "cattrs.py"):
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text(f"open({str(marker)!r}, 'a').write({name!r})\nraise SystemExit(9)\n")
    environment = {"PYTHONPATH": str(workspace)} if through == "PYTHONPATH" else {}
    with start(workspace, tiny_model, environment=environment) as session:
        uri = (workspace / "a.py").as_uri()
        session.open(uri, TEXT)
        session.wait_for_phase("ready")
        session.complete(uri, 1, 11)
        assert session.status()["outcomes"].keys().isdisjoint({"engine_down", "not_ready"})
    assert not marker.exists()


def test_a_killed_daemon_is_started_again(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    with start(tmp_path, tiny_model) as session:
        uri = (tmp_path / "a.py").as_uri()
        session.open(uri, TEXT)
        session.allowed_errors = 1  # it is said, once
        pid = session.wait_for_phase("ready")["daemon"]["pid"]
        os.kill(pid, signal.SIGKILL)
        session.complete(uri, 1, 11)  # answered, whatever with
        assert session.wait_for_phase("ready")["daemon"]["pid"] != pid
        session.complete(uri, 1, 11)
        assert session.status()["last"]["outcome"] not in ("engine_down", "not_ready")


def test_a_model_that_cannot_be_had_is_said_once_in_words(tiny_cache: Path, tmp_path: Path) -> None:
    bad = tmp_path / "broken.gguf"
    bad.write_bytes(b"not a gguf")
    with start(tmp_path, bad) as session:
        session.allowed_errors = 1
        status = session.wait_for_phase("failed")
        assert "broken.gguf" in status["message"]
        uri = (tmp_path / "a.py").as_uri()
        session.open(uri, TEXT)
        assert session.complete(uri, 1, 11) == []
        assert session.complete(uri, 1, 11) == []
    assert len([m for m in session.messages if m["method"] == "window/showMessage"]) == 1


def test_an_idle_daemon_leaves_and_the_next_request_wakes_it(
    ready_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    options = {"model": str(tiny_model), "daemon": {"idleExitMinutes": 0.02}}
    with Session(tmp_path, options=options, folders=[tmp_path]) as session:
        session.wait_for_phase("ready")
        session.wait_for_phase("asleep")
        assert daemons_of(ready_cache) == []
        uri = (tmp_path / "a.py").as_uri()
        session.open(uri, TEXT)
        assert session.complete(uri, 1, 11) == []
        session.wait_for_phase("ready")


def test_a_model_process_that_was_stopped_is_not_called_idle(
    ready_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    with start(tmp_path, tiny_model) as session:
        session.wait_for_phase("ready")
        assert midfill("stop", "--model", str(tiny_model)).returncode == 0
        told = session.wait_for_phase("asleep")["engine"]
        assert "was stopped" in told
        assert "idle" not in told
        session.open("untitled:a", TEXT)
        session.complete("untitled:a", 1, 11)  # starts it again
        session.wait_for_phase("ready")


def test_a_store_that_was_removed_while_the_model_runs_is_made_again_for_the_next_window(
    ready_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    with start(tmp_path, tiny_model) as first:
        first.allowed_errors = 1  # it is said, once
        pid = first.wait_for_phase("ready")["daemon"]["pid"]
        shutil.rmtree(ready_cache / "stores")
        with start(tmp_path, tiny_model) as second:
            second.allowed_errors = 1
            assert second.wait_for_phase("ready", timeout_s=60)["daemon"]["pid"] != pid
            second.open("untitled:a", TEXT)
            second.complete("untitled:a", 1, 11)
            assert second.status()["last"]["outcome"] in ("ok", "empty", "filtered")
        first.wait_for_phase("ready")


def test_a_tokenizer_that_was_damaged_is_said_in_words(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    with start(tmp_path, tiny_model) as first:
        first.wait_for_phase("ready")
        (file,) = ready_cache.glob("stores/*/tokenizer.json")
        kept = file.read_bytes()
        file.write_bytes(b"x" * len(kept))
        (file.parent / VOCABULARY).unlink(missing_ok=True)
        with start(tmp_path, tiny_model) as second:
            second.allowed_errors = 1
            status = second.wait_for_phase("down", "failed", timeout_s=60)
            assert "tokenizer" in status["message"]
            file.write_bytes(kept)
            second.wait_for_phase("ready", timeout_s=60)


def test_without_an_index_worker_completions_go_on_and_the_server_leaves(
    ready_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    """The system gives the server nothing more to open."""
    with start(tmp_path, tiny_model) as session:
        session.wait_for_phase("ready")
        session.open("untitled:a", TEXT)
        session.complete("untitled:a", 1, 11)  # what is opened once (a grammar) is open
        soft, hard = resource.prlimit(session.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(session.pid, resource.RLIMIT_NOFILE, (3, hard))
        workspace = tmp_path / "other"
        workspace.mkdir()
        added = [{"uri": workspace.as_uri(), "name": "other"}]
        change = {"event": {"added": added, "removed": []}}
        session.notify("workspace/didChangeWorkspaceFolders", change)
        deadline = time.monotonic() + 60
        while (index := session.status()["indexes"].get(str(workspace), {"phase": ""}))["phase"] != "failed":
            assert time.monotonic() < deadline, index
            time.sleep(0.1)
        assert "Too many open files" in index["message"]
        session.change("untitled:a", 2, [{"text": f"{TEXT}a + "}])
        session.complete("untitled:a", 1, 15)
        assert session.status()["last"]["outcome"] in ("ok", "empty", "filtered")
        resource.prlimit(session.pid, resource.RLIMIT_NOFILE, (soft, hard))
        while (index := session.status()["indexes"][str(workspace)])["phase"] != "ready":
            assert time.monotonic() < deadline, index
            time.sleep(0.1)


def test_a_malformed_frame_closes_that_client_only(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    with start(tmp_path, tiny_model) as session:
        pid = session.wait_for_phase("ready")["daemon"]["pid"]
        path = socket_path(EngineSettings(model=str(tiny_model)))
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        for garbage in (b"\xff" * 64, struct.pack(">I", 4) + b"junk", struct.pack(">I", 1 << 31)):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10)
                client.connect(str(path))
                client.sendall(garbage)
                while client.recv(4096):  # the state it is told first, then the end
                    pass
        uri = (tmp_path / "a.py").as_uri()
        session.open(uri, TEXT)
        session.complete(uri, 1, 11)
        assert session.status()["daemon"]["pid"] == pid


def test_a_truncated_store_is_made_again(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    with start(tmp_path, tiny_model) as session:
        session.allowed_errors = 1  # it is said, once
        pid = session.wait_for_phase("ready")["daemon"]["pid"]
        os.kill(pid, signal.SIGKILL)
        (weights,) = ready_cache.glob("stores/*/weights.safetensors")
        size = weights.stat().st_size
        os.truncate(weights, size // 2)
        assert session.wait_for_phase("ready")["daemon"]["pid"] != pid
        (weights,) = ready_cache.glob("stores/*/weights.safetensors")
        assert weights.stat().st_size == size


GARBAGE = {
    "position beyond the end": ("x = 1\n", "python", (900, 900)),
    "position beyond the line": ("x = 1\ny = 2\n", "python", (0, 500)),
    "binary": ("\x00\x01\x7f\ufffd" * 500, "plaintext", (0, 3)),
    "5 MB": ("value = compute(12345)\n" * 220_000, "python", (110_000, 5)),
    "one line of 1 MB": ("x" * 1_000_000, "javascript", (0, 500_000)),
    "mixed line ends": ("a = 1\r\nb = 2\rc = 3\n\r\n", "python", (2, 2)),
    "emoji before the cursor": ("s = '😀😀'; t = ", "python", (0, 15)),
    "unknown language": ("hello wor", "klingon", (0, 9)),
    "empty": ("", "python", (0, 0)),
}


def test_garbage_gets_an_answer_and_the_server_lives(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    with start(tmp_path, tiny_model) as session:
        session.wait_for_phase("ready")
        assert session.complete("file:///never/opened.py", 0, 0) == []
        for name, (text, language, (line, character)) in GARBAGE.items():
            uri = f"untitled:{name.replace(' ', '-')}"
            session.open(uri, text, language)
            for item in session.complete(uri, line, character):
                span = item["range"]
                assert span["start"]["line"] == span["end"]["line"], name
            last = session.status()["last"]
            assert last["outcome"] in ("ok", "empty", "filtered"), (name, last)
            session.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        session.change("file:///never/opened.py", 2, [{"text": "x"}])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_edits_after_an_emoji_land_where_the_editor_means(
    ready_cache: Path, tiny_model: Path, tmp_path: Path, encoding: str
) -> None:
    units = {"utf-8": 4, "utf-16": 2, "utf-32": 1}[encoding]
    with start(tmp_path, tiny_model, encoding=encoding) as session:
        assert session.capabilities["positionEncoding"] == encoding
        session.wait_for_phase("ready")
        uri = "untitled:a"
        session.open(uri, "s = '😀'\n")
        at = {"line": 0, "character": 6 + units}
        session.change(uri, 2, [{"range": {"start": at, "end": at}, "text": ".upper"}])
        items = session.complete(uri, 0, 6 + units + 6)
        assert session.status()["last"]["outcome"] in ("ok", "empty", "filtered")
        for item in items:
            assert item["insertText"].startswith("s = '😀'.upper")
            assert item["range"]["end"]["character"] >= 6 + units + 6


def test_every_trigger_kind_is_tolerated(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    with start(tmp_path, tiny_model) as session:
        session.open("untitled:a", TEXT)
        session.wait_for_phase("ready")
        for kind in (0, 1, 2, None):
            session.complete("untitled:a", 1, 11, kind)


def test_a_wrong_configuration_is_named_and_the_defaults_apply(
    ready_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    options = {"model": str(tiny_model), "maxWaitMs": "soon", "colour": 1}
    with Session(tmp_path, options=options, configuration={"mode": "line"}) as session:
        session.allowed_errors = 1
        session.wait_for_phase("ready")
        (shown,) = [m for m in session.messages if m["method"] == "window/showMessage"]
        assert "maxWaitMs" in shown["params"]["message"]
        assert "colour" in shown["params"]["message"]
        assert session.status()["config"]["mode"] == "line"


def test_the_server_never_imports_torch(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    with start(tmp_path, tiny_model) as session:
        session.wait_for_phase("ready")
        session.open("untitled:a", TEXT)
        session.complete("untitled:a", 1, 11)
        maps = Path(f"/proc/{session.pid}/maps").read_text()
    assert "tree_sitter" in maps
    assert "libtorch" not in maps


LIBRARY = "".join(f"def area_{n}(width, height):\n    return width * height + {n}\n\n\n" for n in range(12))
USER = "from library import area_3\n\n\ndef main():\n    print(area_3(2, "


def test_other_files_become_context_at_a_pause_and_outlive_the_daemon_on_disk(
    ready_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    options = {"model": str(tiny_model), "maxWaitMs": 0, "maxPromptTokens": 2048, "maxFileTokens": 512}
    options |= {"daemon": {"idle": "always"}}  # a busy machine is no failure
    with Session(tmp_path, options=options, folders=[tmp_path]) as session:
        library, user = ((tmp_path / name).as_uri() for name in ("library.py", "user.py"))
        session.wait_for_phase("ready")
        session.open(library, LIBRARY)
        session.open(user, USER)
        daemon = wait_for(session, lambda daemon: daemon["n_blocks_computed"] > 0 and not daemon["n_incomplete"])
        session.complete(user, 4, 20, kind=2)
        last = session.status()["last"]
        assert last["nBlocks"] >= 1
        assert last["rung"] == "window"
        assert (
            last["nComputed"] < 200
        )  # tokens of the file, which are bytes here: no block was computed for the request
        session.allowed_errors = 1  # it is said, once
        os.kill(daemon["pid"], signal.SIGKILL)
        session.change(user, 2, [{"text": USER + "(1, "}])
        session.complete(user, 4, 24, kind=2)
        session.wait_for_phase("ready")
        session.complete(user, 4, 24, kind=2)
        daemon = wait_for(session, lambda daemon: daemon["n_blocks_from_disk"] > 0 and not daemon["n_incomplete"])
        assert daemon["n_blocks_computed"] == 0
        assert daemon["n_failed_checks"] == 0


def wait_for(session: Session, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The daemon's status once it is as wanted."""
    for _ in range(300):
        daemon = session.status()["daemon"]
        if daemon is not None and holds(daemon):
            return daemon
        time.sleep(0.1)
    raise AssertionError(f"it never was: {daemon}")


def test_a_file_that_was_never_open_becomes_context(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    (workspace / "library.py").write_text("def area_of(width, height):\n    return width * height\n")
    (workspace / ".env").write_text("SECRET = 1\n")
    options = {"model": str(tiny_model), "maxWaitMs": 0, "maxPromptTokens": 2048, "maxFileTokens": 512}
    options |= {"daemon": {"idle": "always"}}
    with Session(workspace, options=options, folders=[workspace]) as session:
        session.wait_for_phase("ready")
        deadline = time.monotonic() + 30
        while session.status()["indexes"][str(workspace)]["phase"] != "ready":
            assert time.monotonic() < deadline, session.status()["indexes"]
            time.sleep(0.05)
        uri, text = (workspace / "main.py").as_uri(), "from library import area_of\n\nprint(area_of(1, 2))\nx = "
        session.open(uri, text)
        session.complete(uri, 3, 4, kind=2)
        assert wait_for(session, lambda daemon: daemon["n_blocks_computed"] > 0)["n_blocks_computed"] == 1


def test_without_an_index_nothing_is_read(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    options = {"model": str(tiny_model), "maxWaitMs": 0, "context": {"index": False}}
    with Session(tmp_path, options=options, folders=[tmp_path]) as session:
        session.wait_for_phase("ready")
        assert session.status()["indexes"] == {}
        assert not (ready_cache / "index").exists()


def test_the_machine_is_measured_in_passing_and_remembered(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    options = {"model": str(tiny_model), "maxWaitMs": 0, "maxPromptTokens": 0, "maxFileTokens": 0}
    options |= {"daemon": {"idle": "always"}}
    uri = (tmp_path / "a.py").as_uri()
    with Session(tmp_path, options=options, folders=[tmp_path]) as session:
        assert "not been measured" in session.wait_for_phase("ready")["machine"]
        session.open(uri, LIBRARY)
        wait_for(session, lambda daemon: daemon["n_measured_tokens"] >= 500)  # without a request
        for version in range(2, 300):
            session.change(uri, version, [{"text": f"# {version}\n" + version * LIBRARY}])
            session.complete(uri, 0, 1, kind=2)
            session.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
            if "tokens a second" in session.status()["machine"]:
                break
            time.sleep(0.1)
        assert "tokens a second" in session.status()["machine"]
    assert (ready_cache / "state" / "machine.json").stat().st_mode & 0o077 == 0
    with start(tmp_path, tiny_model) as session:
        assert "tokens a second" in session.wait_for_phase("ready")["machine"]


def test_who_asks_for_a_card_that_is_not_there_hears_why_and_gets_completions(
    ready_cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a card here")
    options = {"model": str(tiny_model), "maxWaitMs": 0, "quietness": 0.0, "device": "cuda"}
    with Session(tmp_path, options=options, folders=[tmp_path]) as session:
        status = session.wait_for_phase("ready")
        assert "on the processor" in status["engine"]
        assert "this torch is built for the processor alone" in status["engine"] or "NVIDIA" in status["engine"]
        assert status["daemon"]["device"].startswith("on the processor")
        uri = (tmp_path / "a.py").as_uri()
        session.open(uri, TEXT)
        session.complete(uri, 1, 11)
        assert session.status()["daemon"]["n_requests"] >= 1
