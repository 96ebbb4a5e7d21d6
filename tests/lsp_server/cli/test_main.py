"""The `midfill` command as it is typed: places, one completion, the model process, and errors in one line."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lsp_server.cli import doctor
from lsp_server.cli.__main__ import main
from lsp_server.cli.complete import BadPlace, parse_place
from lsp_server.local import workspace_of
from model.link.spawn import EngineSettings, socket_path
from tests.conftest import daemons_of

TEXT = "x = 1\r\ny = 'é😀'\nz"


def midfill(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    code = "import sys; from lsp_server.cli.__main__ import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a:1.py"  # a colon in a name must not confuse anybody
    path.write_bytes(TEXT.encode())
    return path


@pytest.mark.parametrize(
    ("place", "before"),
    [
        ("1", "x = 1"),
        ("1:1", ""),
        ("2", "x = 1\r\ny = 'é😀'"),
        ("2:7", "x = 1\r\ny = 'é"),
        ("3", TEXT),
    ],
)
def test_a_place_is_one_based_and_without_a_column_the_end_of_the_line(file: Path, place: str, before: str) -> None:
    _, text, cursor = parse_place(f"{file}:{place}")
    assert text[:cursor] == before


@pytest.mark.parametrize(
    ("place", "says"),
    [
        (":9", "has 3 lines, not 9"),
        (":0", "has 3 lines, not 0"),
        (":1:99", "columns 1 to 6, not 99"),
        (":1:2:3:4", ""),
        ("", "is not FILE:LINE"),
    ],
)
def test_a_place_that_does_not_exist_is_named(tmp_path: Path, place: str, says: str) -> None:
    (tmp_path / "a.py").write_bytes(TEXT.encode())
    with pytest.raises(BadPlace, match=says):
        parse_place(f"{tmp_path / 'a.py'}{place}")


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path, tiny_cache: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for words in (
        ("complete", f"{tmp_path}/missing.py:1"),
        ("complete", f"{tmp_path}/binary:1"),
        ("complete", f"{tmp_path}:1"),
        ("doctor", "--model", "no-such-model"),
    ):
        result = midfill(*words)
        assert result.returncode == 2, (words, result)
        assert result.stderr.startswith("midfill: ")
        assert result.stderr.count("\n") == 1, result.stderr


@pytest.mark.e2e
def test_complete_status_and_stop_with_a_tiny_model(tiny_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    model = ("--model", str(tiny_model))
    source = tmp_path / "a.py"
    source.write_text("def add(a, b):\n    return ")
    assert midfill("status", *model).stdout.strip() == "the model process is not running"

    result = midfill("complete", f"{source}:2", "--json", "--mode", "line", *model)
    answer = json.loads(result.stdout)
    assert answer["outcome"] in ("ok", "empty", "filtered")
    assert answer["nPrompt"] == answer["nComputed"] > 0
    assert result.returncode == (0 if answer["text"] else 1)

    assert f"pid: {daemons_of(tiny_cache)[0]}" in midfill("status", *model).stdout
    told = midfill("doctor", f"{source}:1:5", *model).stdout
    assert "store: ready" in told
    assert re.search(r"^machine: \d+ cores? with .* read \d+ tokens a second: .* with a window of", told, re.MULTILINE)
    assert "tokens a second" in midfill("status", *model).stdout
    assert re.search(r"^event loop: 99.9 % of waits below .* while typing into 10,000 lines", told, re.MULTILINE)
    assert "nothing is asked here: a word stands right behind the cursor" in told

    assert midfill("stop", *model).returncode == 0
    assert "not running" in midfill("status", *model).stdout
    assert daemons_of(tiny_cache) == []


@pytest.mark.e2e
def test_status_and_stop_start_nothing_beside_a_socket_that_a_dead_process_left(
    tiny_cache: Path, tiny_model: Path
) -> None:
    path = socket_path(EngineSettings(model=str(tiny_model)))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    told = midfill("status", "--model", str(tiny_model))
    assert (told.stdout.strip(), told.returncode) == ("the model process is not running", 1)
    assert "no model process is running" in midfill("stop", "--model", str(tiny_model)).stderr
    assert daemons_of(tiny_cache) == []
    assert not path.with_suffix(".log").exists()


@pytest.mark.parametrize(
    ("words", "code"),  # argparse and rich have ways of their own
    [(("status",), 141), (("model", "list", "--json"), 141), (("--help",), 0), (("model", "list"), 1)],
)
def test_nothing_is_said_to_a_reader_that_has_left(tiny_cache: Path, words: tuple[str, ...], code: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [
        sys.executable,
        "-c",
        "import sys; from lsp_server.cli.__main__ import main; sys.exit(main(sys.argv[1:]))",
    ]
    with open(writing, "wb") as pipe:
        told = subprocess.run([*command, *words], stdout=pipe, stderr=subprocess.PIPE, timeout=120, check=False)
    assert (told.stderr, told.returncode) == (b"", code)


@pytest.mark.e2e
def test_stop_without_a_model_ends_all_model_processes(
    ready_cache: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "a.py"
    source.write_text("def add(a, b):\n    return ")
    other = shutil.copytree(tiny_model, tmp_path / "other")
    for model in (tiny_model, other):
        main(["complete", f"{source}:2", "--json", "--mode", "line", "--model", str(model)])
    assert len(daemons_of(ready_cache)) == 2
    main(["stop", "--model", str(other)])
    assert "1 model process was asked to leave" in capsys.readouterr().err
    assert are_left(ready_cache, 1)
    assert main(["stop"]) == 0
    assert are_left(ready_cache, 0)
    capsys.readouterr()
    main(["stop"])
    assert "no model process is running" in capsys.readouterr().err


def are_left(cache: Path, n: int) -> bool:
    """Whether so many model processes are left in a while: one that has hung up still ends."""
    deadline = time.monotonic() + 20
    while len(daemons_of(cache)) != n and time.monotonic() < deadline:
        time.sleep(0.02)
    return len(daemons_of(cache)) == n


@pytest.mark.e2e
def test_context_needs_no_repository(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "library.py").write_text("def area_of(width, height):\n    return width * height\n")
    source = folder / "main.py"
    source.write_text("from library import area_of\n\nprint(area_of(1, 2))\n")
    model = ("--model", str(tiny_model))
    midfill("complete", f"{source}:3", *model)
    told = json.loads(midfill("context", f"{source}:3", "--json", *model).stdout)
    assert [item["path"] for item in told["items"]] == ["library.py"]


@pytest.mark.e2e
def test_names_that_are_no_utf_8_end_no_command(
    ready_cache: Path,
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "_event_loop", lambda model: "not measured here")  # takes five seconds
    folder = tmp_path / os.fsdecode(b"[/b]\xff")
    folder.mkdir(parents=True)
    name = os.fsdecode(b"caf\xe9.py")
    (folder / "library.py").write_text("def area_of(width, height):\n    return width * height\n")
    (folder / name).write_text("from library import area_of\n\nprint(area_of(1, 2))\n")
    model = ("--model", str(tiny_model))
    for words in (
        ("complete", f"{folder}/{name}:3", *model),
        ("context", f"{folder}/{name}:3", *model),
        ("context", f"{folder}/{name}:3", "--json", *model),
        ("outline", f"{folder}/{name}"),
        ("outline", f"{folder}/{name}", "--json"),
        ("doctor", f"{folder}/{name}:3", *model),
        ("cache",),
    ):
        code = main(list(words))
        told = capsys.readouterr()
        assert "Traceback" not in told.err, (words, told.err)
        assert "library.py" in told.out or words[0] != "context"
        assert "caf\\xe9.py" in told.out or words[0] != "outline" or words[-1] == "--json" or code == 2
    missing = midfill("outline", f"{folder}/missing-{name}")  # a real standard error writes what is no text
    assert (missing.returncode, "Traceback" in missing.stderr) == (2, False)
    main(["context", f"{folder}/library.py:1", "--json", *model])
    told = json.loads(capsys.readouterr().out)
    assert [item["path"] for item in told["items"]] == ["caf\\xe9.py"]


def test_the_repository_of_a_home_folder_is_of_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home" / ".git").mkdir(parents=True)
    (tmp_path / "home" / "p").mkdir()
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    assert workspace_of(tmp_path / "home" / "p" / "a.py") == tmp_path / "home" / "p"


def test_a_workspace_is_the_repository_the_current_folder_or_the_files_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert workspace_of(inner / "c.py") == tmp_path
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "a")
    assert workspace_of(inner / "c.py") == inner  # what is around the home folder is nobody's workspace
    monkeypatch.chdir(inner)
    assert workspace_of(tmp_path / "c.py") == tmp_path
    (tmp_path / ".git").mkdir()
    assert workspace_of(Path("c.py")) == tmp_path


@pytest.mark.e2e
def test_a_broken_model_file_is_an_error_in_words(tiny_cache: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"no")
    (tmp_path / "a.py").write_text("x = ")
    result = midfill("complete", f"{tmp_path / 'a.py'}:1", "--model", str(tmp_path / "broken.gguf"))
    assert result.returncode == 2
    assert "broken.gguf" in result.stderr
    assert "Traceback" not in result.stderr
