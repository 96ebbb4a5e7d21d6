"""The real server, the real daemon and the real default model, over stdio: what a user gets."""

import json
import os
import signal
import statistics
import time
from pathlib import Path
from typing import Any

import pytest

from model.library.catalog import DEFAULT_MODEL, resolve
from tests.conftest import stop_daemons
from tests.lsp_server.session import Session

pytestmark = [pytest.mark.e2e, pytest.mark.model]

# A file long enough that recomputing it at each keystroke would be seen.
HELPER = "def helper_{0}(value: int) -> int:\n    # Add {0} to a value.\n    return value + {0}\n\n\n"
FILLER = "".join(HELPER.format(i) for i in range(40))
TYPED = FILLER + "def subtract(first: int, second: int) -> int:\n    "


@pytest.fixture
def session(real_cache: Path, tmp_path: Path) -> Session:
    environment = {"MIDFILL_CACHE": str(real_cache)}
    return Session(tmp_path, folders=[tmp_path], environment=environment, options={"maxWaitMs": 0})


def place(text: str) -> tuple[int, int]:
    """Line and character of the end of a text."""
    return text.count("\n"), len(text) - text.rfind("\n") - 1


@pytest.mark.parametrize("format", ["left", "fim"])
def test_typing_on_a_line_computes_only_a_few_tokens_per_key(real_cache: Path, tmp_path: Path, format: str) -> None:
    options = {"format": format, "mode": "line", "maxWaitMs": 0, "deadlineMs": 0}
    environment = {"MIDFILL_CACHE": str(real_cache)}
    with Session(tmp_path, folders=[tmp_path], options=options, environment=environment) as session:
        session.wait_for_phase("ready")
        uri = (tmp_path / "a.py").as_uri()
        session.open(uri, TYPED)
        session.complete(uri, *place(TYPED), kind=2)
        assert session.status()["last"]["nComputed"] > 1000  # the first request pays for the file
        computed, text = [], TYPED
        for number, character in enumerate("qz9 = w3(x7"):  # nobody would suggest this: every key asks the model
            line, column = place(text)
            at = {"line": line, "character": column}
            session.change(uri, number + 2, [{"range": {"start": at, "end": at}, "text": character}])
            text += character
            session.complete(uri, *place(text), kind=2)
            last = session.status()["last"]
            if not last["reused"]:
                computed.append(last["nComputed"])
    assert len(computed) >= 6  # the others were answered without the model
    assert statistics.median(computed) <= 3
    assert max(computed) <= 12


def test_typing_through_a_suggestion_asks_the_model_nothing(session: Session, tmp_path: Path) -> None:
    with session:
        session.wait_for_phase("ready")
        uri = (tmp_path / "a.py").as_uri()
        text = "def fibonacci(n: int) -> int:\n    if n < 2:\n        return n\n    ret"
        session.open(uri, text)
        item, *_ = session.complete(uri, *place(text))
        assert item["insertText"].startswith("    return")
        at = dict(zip(("line", "character"), place(text), strict=True))
        session.change(uri, 2, [{"range": {"start": at, "end": at}, "text": "urn"}])
        rest, *_ = session.complete(uri, *place(text + "urn"))
        assert rest["insertText"] == item["insertText"]
        assert session.status()["last"]["reused"]


def test_an_invoked_request_gets_an_answer_at_once_and_others_at_the_next_press(
    session: Session, tmp_path: Path
) -> None:
    with session:
        session.wait_for_phase("ready")
        uri = (tmp_path / "a.py").as_uri()
        text = "def mean(values: list[float]) -> float:\n    total = sum(values)\n    cou\n    return total / count\n"
        session.open(uri, text)
        (first,) = session.complete(uri, 2, 7)
        again = session.complete(uri, 2, 7)
        assert len(again) > 1
        assert first["insertText"] in [item["insertText"] for item in again]
        assert [item["insertText"] for item in session.complete(uri, 2, 7)] == [item["insertText"] for item in again]


def test_a_whole_function_is_asked_for_in_a_chat_and_works(session: Session, tmp_path: Path) -> None:
    with session:
        session.wait_for_phase("ready")
        uri = (tmp_path / "a.py").as_uri()
        text = (
            "def count_vowels(text: str) -> int:\n"
            '    """How many vowels (a, e, i, o, u) a text has.\n\n    >>> count_vowels("banana")\n    3\n    """\n    '
        )
        session.open(uri, text)
        item, *_ = session.complete(uri, *place(text))
        (told,) = session.request("midfill/why", {"last": 1})["explanations"]
        assert (told["mode"], told["format"]) == ("block", "chat")
        program: dict[str, Any] = {}
        exec(text[: text.rfind("\n") + 1] + item["insertText"], program)
        assert [program["count_vowels"](word) for word in ("banana", "xyz", "")] == [3, 0, 0]


def test_coming_back_to_where_something_was_shown_asks_the_model_nothing(session: Session, tmp_path: Path) -> None:
    with session:
        session.wait_for_phase("ready")
        uri = (tmp_path / "a.py").as_uri()
        text = "def fibonacci(n: int) -> int:\n    if n < 2:\n        return n\n    ret"
        session.open(uri, text)
        line, column = place(text)
        item, *_ = session.complete(uri, line, column, kind=2)
        at, behind = ({"line": line, "character": column + n} for n in (0, 2))
        session.change(uri, 2, [{"range": {"start": at, "end": at}, "text": "zz"}])
        session.complete(uri, line, column + 2, kind=2)
        assert not session.status()["last"]["reused"]
        session.change(uri, 3, [{"range": {"start": at, "end": behind}, "text": ""}])  # deleted again
        session.complete(uri, 1, 4, kind=2)  # and up and down
        assert session.complete(uri, line, column, kind=2) == []  # until something is typed
        next_key = item["insertText"][column]
        session.change(uri, 4, [{"range": {"start": at, "end": at}, "text": next_key}])
        back, *_ = session.complete(uri, line, column + 1, kind=2)
        assert session.status()["last"]["reused"]
        assert (back["insertText"], back["range"]["start"]) == (item["insertText"], item["range"]["start"])


def test_after_accepting_the_next_suggestion_is_there(real_cache: Path, tmp_path: Path) -> None:
    environment = {"MIDFILL_CACHE": str(real_cache)}
    # A busy machine would compute nothing ahead; the setting is that of the window which starts the model process.
    stop_daemons(real_cache)
    options = {"maxWaitMs": 0, "quietness": 0, "daemon": {"idle": "always"}}
    with Session(tmp_path, folders=[tmp_path], environment=environment, options=options) as session:
        session.wait_for_phase("ready")
        uri = (tmp_path / "next.py").as_uri()
        text = "def mean(values: list[float]) -> float:\n    total = sum(values)\n    cou"
        session.open(uri, text)
        assert session.complete(uri, *place(text), kind=2)
        deadline = time.monotonic() + 60
        while not any("looked ahead" in line for line in session.stderr):  # somebody reads it
            assert time.monotonic() < deadline
            time.sleep(0.1)
        # On a busy machine what was shown at first was its beginning. What is looked ahead from is the whole.
        (item,) = session.complete(uri, *place(text), kind=2)
        accepted = text[: text.rfind("\n") + 1] + item["insertText"] + "\n    "
        session.change(uri, 2, [{"text": accepted}])
        (following,) = session.complete(uri, *place(accepted), kind=2)
        last = session.status()["last"]
        assert (last["reused"], last["nComputed"]) == (True, 0), last
        session.change(uri, 3, [{"text": accepted + "#"}])
        session.change(uri, 4, [{"text": accepted}])
        (again, *_) = session.complete(uri, *place(accepted), kind=1)  # asked for: the model says the same
        assert again["insertText"] == following["insertText"]


def test_what_was_computed_ahead_costs_the_next_key_nothing(real_cache: Path, tmp_path: Path) -> None:
    environment = {"MIDFILL_CACHE": str(real_cache)}
    stop_daemons(real_cache)
    options = {"maxWaitMs": 0, "deadlineMs": 0, "quietness": 0, "daemon": {"idle": "always"}}
    with Session(tmp_path, folders=[tmp_path], environment=environment, options=options) as session:
        session.wait_for_phase("ready")
        uri = (tmp_path / "other.py").as_uri()
        above = FILLER + "def mean(values: list[float]) -> float:\n    total = sum(values)\n    cou"
        session.open(uri, above + "\n    return total / count\n\n\n" + FILLER.replace("helper", "other"))
        assert session.complete(uri, *place(above), kind=2)
        assert session.status()["last"]["nComputed"] > 1000
        session.wait_for_log("looked ahead")
        line, column = place(above)
        at = {"line": line, "character": column}
        session.change(uri, 2, [{"range": {"start": at, "end": at}, "text": "q"}])
        session.complete(uri, line, column + 1, kind=2)
        last = session.status()["last"]
        assert not last["reused"]
        assert last["nComputed"] <= 12, last


def test_where_the_cursor_came_to_rest_the_first_key_finds_the_window_read(real_cache: Path, tmp_path: Path) -> None:
    stop_daemons(real_cache)
    options = {"maxWaitMs": 0, "deadlineMs": 1, "quietness": 0, "maxPromptTokens": 1_024, "daemon": {"idle": "always"}}
    environment = {"MIDFILL_CACHE": str(real_cache)}
    with Session(tmp_path, folders=[tmp_path], environment=environment, options=options) as session:
        session.wait_for_phase("ready")
        uri = (tmp_path / "long.py").as_uri()
        text = FILLER + FILLER.replace("helper", "other")
        session.open(uri, text)
        session.complete(uri, 2, 4, kind=2)
        n_computed = {}
        for version, (is_told, line) in enumerate([(False, 153), (True, 303)], 2):
            place_there = {"line": line, "character": 0}
            if is_told:
                before = session.status()["daemon"]["n_computed_tokens"]
                session.notify("midfill/didMove", {"textDocument": {"uri": uri}, "position": place_there})
                deadline = time.monotonic() + 60
                while session.status()["daemon"]["n_computed_tokens"] < before + 100:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
                time.sleep(1.0)
            session.change(uri, version, [{"range": {"start": place_there, "end": place_there}, "text": "x"}])
            session.complete(uri, line, 1, kind=2)
            n_computed[is_told] = session.status()["last"]["nComputed"]
        assert n_computed[True] < 32 < 100 < n_computed[False], n_computed


SHIPPING = '''"""Parcels and their ways."""


def ship_parcel(weight_grams: int, country: str, insured: bool) -> str:
    """Hand a parcel over; returns its tracking number."""
    return f"{country}-{weight_grams}-{insured}"
'''
ORDERS = """from shipping import ship_parcel


def send_gift(weight_grams: int, country: str) -> str:
    """


@pytest.mark.parametrize("when", ["at the first request", "when it was written later"])
def test_a_small_file_sees_other_files_where_no_idle_work_may_run(real_cache: Path, tmp_path: Path, when: str) -> None:
    stop_daemons(real_cache)  # the setting is that of the window which starts the model process
    options = {"maxWaitMs": 0, "mode": "line", "quietness": 0, "daemon": {"idle": "never"}}
    later = when == "when it was written later"
    other, uri = tmp_path / f"{'delivery' if later else 'shipping'}.py", (tmp_path / "orders.py").as_uri()
    text = ORDERS.replace("shipping", other.stem)
    if not later:
        other.write_text(SHIPPING)
    environment = {"MIDFILL_CACHE": str(real_cache)}
    with Session(tmp_path, folders=[tmp_path], environment=environment, options=options) as session:
        session.wait_for_phase("ready")
        deadline = time.monotonic() + 60
        while session.status()["indexes"][str(tmp_path)]["phase"] != "ready":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        session.open(uri, text)
        if later:
            session.complete(uri, *place(text), kind=2)
            assert session.status()["last"]["nBlocks"] == 0
            session.open(other.as_uri(), SHIPPING)
            session.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
            for _ in range(100):
                told = session.request("midfill/context", {"uri": uri, "position": {"line": 4, "character": 4}})
                if told["snippets"]:
                    break
                time.sleep(0.1)
        text += "return ship_parcel("
        session.change(uri, 2, [{"text": text}])
        item, *_ = session.complete(uri, *place(text), kind=2)
        n_blocks = session.status()["last"]["nBlocks"]
        assert n_blocks >= 1
        assert item["insertText"].startswith("    return ship_parcel(weight_grams, country, ")
        session.change(uri, 3, [{"text": text + "z9"}])
        session.complete(uri, *place(text + "z9"), kind=2)  # a key is as cheap as ever
        last = session.status()["last"]
        assert not last["reused"]
        assert last["nComputed"] <= 12, last
        assert last["nBlocks"] == n_blocks, last


def test_a_killed_daemon_gives_an_empty_answer_and_the_next_request_works(session: Session, tmp_path: Path) -> None:
    with session:
        session.allowed_errors = 1
        pid = session.wait_for_phase("ready")["daemon"]["pid"]
        uri = (tmp_path / "a.py").as_uri()
        session.open(uri, TYPED)
        request = session.start("textDocument/inlineCompletion", session.complete_params(uri, *place(TYPED)))
        time.sleep(0.3)  # a prefill of this size takes seconds
        os.kill(pid, signal.SIGKILL)
        assert session.finish(request)["result"]["items"] == []
        session.wait_for_phase("ready")
        assert session.complete(uri, *place(TYPED))


def test_a_cancelled_request_ends_and_the_next_one_is_answered(session: Session, tmp_path: Path) -> None:
    with session:
        session.wait_for_phase("ready")
        uri = (tmp_path / "b.py").as_uri()
        session.open(uri, TYPED.replace("helper", "cancelled"))
        params = session.complete_params(uri, *place(TYPED.replace("helper", "cancelled")))
        request = session.start("textDocument/inlineCompletion", params)
        time.sleep(0.2)
        session.notify("$/cancelRequest", {"id": request})
        assert session.finish(request)["error"]["code"] == -32800
        assert session.request("textDocument/inlineCompletion", params)["items"]


def test_a_newer_request_for_the_document_ends_the_older_one(session: Session, tmp_path: Path) -> None:
    with session:
        session.wait_for_phase("ready")
        uri = (tmp_path / "c.py").as_uri()
        text = TYPED.replace("helper", "superseded")
        session.open(uri, text)
        params = session.complete_params(uri, *place(text))
        older = session.start("textDocument/inlineCompletion", params)
        time.sleep(0.2)
        newer = session.start("textDocument/inlineCompletion", params)
        assert session.finish(older)["result"]["items"] == []
        assert session.finish(newer)["result"]["items"]
        assert session.status()["outcomes"] == {"stale": 1, "ok": 1}


def test_an_empty_body_is_completed_as_a_block(session: Session, tmp_path: Path) -> None:
    with session:
        session.wait_for_phase("ready")
        text = "import os\n\n\ndef count_files(folder: str) -> int:\n    \n\n\nprint(count_files('.'))\n"
        session.open("untitled:block", text)
        item, *_ = session.complete("untitled:block", 4, 4)
        assert session.status()["last"]["mode"] == "block"
        assert "return" in item["insertText"]
        assert "print(count_files" not in item["insertText"]


POINT = """\
class Point3D {
  constructor(
    readonly x: number,
    readonly y: number,
  ) {}

  length() {
    return Math.sqrt(this.x ** 2 + this.y ** 2);
  }
}
"""


def test_what_follows_from_an_edit_is_written_by_the_model_where_somebody_asks_for_all(
    real_cache: Path, tmp_path: Path
) -> None:
    options = {"maxWaitMs": 0, "nextEdit": {"enabled": True, "eagerness": 1.0}}
    with Session(tmp_path, options=options, environment={"MIDFILL_CACHE": str(real_cache)}) as session:
        session.wait_for_phase("ready")
        uri = (tmp_path / "a.ts").as_uri()
        session.open(uri, POINT, language="typescript")
        place = {"line": 4, "character": 0}
        session.change(uri, 2, [{"range": {"start": place, "end": place}, "text": "    readonly z: number,\n"}])
        asked = {"textDocument": {"uri": uri, "version": 2}, "position": {"line": 4, "character": 22}}
        edits = session.request("midfill/nextEdit", asked)["edits"]
    assert [edit["layer"] for edit in edits] == ["model"]
    (edit,) = edits
    assert edit["range"]["start"]["line"] == 8
    assert edit["text"] == " + this.z ** 2"


def test_where_a_larger_model_fits_the_user_is_asked_and_the_smaller_one_answers(
    real_cache: Path, tmp_path: Path
) -> None:
    """With what was measured of a fast machine, and no larger model on it; the answer is no."""
    cache, folder = tmp_path / "cache", tmp_path / "folder"
    for name, pattern in (("models", "*"), ("stores", f"{resolve(DEFAULT_MODEL).model_id}-int4-*")):
        (cache / name).mkdir(parents=True)
        for path in (real_cache / name).glob(pattern):
            (cache / name / path.name).symlink_to(path)
    folder.mkdir()
    known = {"model_id": resolve(DEFAULT_MODEL).model_id, "n_threads": 32, "kernels": "avx2", "tokens_per_s": 9_000.0}
    (cache / "state").mkdir()
    (cache / "state" / "machine.json").write_text(json.dumps({f"{known['model_id']} auto": known}))
    environment, text = {"MIDFILL_CACHE": str(cache)}, "def add(a, b):\n    return a "
    with Session(folder, folders=[folder], environment=environment, experimental={"midfillCanAsk": True}) as session:
        session.choice = "No"
        session.wait_for_phase("ready")
        uri = (folder / "a.py").as_uri()
        session.open(uri, text)
        assert session.complete(uri, *place(text))
        deadline = time.monotonic() + 60
        while not (asked := [m for m in session.messages if m["method"] == "window/showMessageRequest"]):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert [action["title"] for action in asked[0]["params"]["actions"]] == ["Fetch 1.1 GB", "No"]
        assert session.status()["phase"] == "ready"
        assert session.complete(uri, *place(text))
    assert "qwen2.5-coder-1.5b" in (cache / "state" / "offers.json").read_text()
    stop_daemons(cache)
