"""Over stdio: no other file is shown what is private, and automatic requests there are answered empty."""

from pathlib import Path
from typing import Any

import pytest

from tests.lsp_server.e2e.test_documents import context, options, shown, wait_for_shown, wait_until
from tests.lsp_server.session import Session

pytestmark = pytest.mark.e2e

SECRET = "STRIPE_KEY=sk_live_4242\nBILLING_URL=https://example.org\n"
OPEN = "def charge_customer(amount):\n    return amount\n"
USER = "STRIPE_KEY = BILLING_URL = 1\n\nprint(charge_customer(STRIPE_KEY, BILLING_URL, sk_live"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEAx5cKq1uDNVJ8\n-----END PRIVATE KEY-----\n"


def test_an_open_secret_is_shown_to_no_other_file(ready_cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    (workspace / ".gitignore").write_text("ignored.py\n")
    (workspace / ".git").mkdir()
    uris = {name: (workspace / name).as_uri() for name in (".env", "ignored.py", "open.py", "user.py", "later.py")}
    with Session(workspace, options=options(tiny_model), folders=[workspace]) as session:
        session.wait_for_phase("ready")
        session.open(uris[".env"], SECRET, "dotenv")
        session.open("untitled:Secrets.json", SECRET)
        session.open(uris["ignored.py"], OPEN.replace("charge", "ignored"))
        session.open(uris["later.py"], OPEN.replace("charge", "later"))
        session.open(uris["open.py"], OPEN)
        session.open(uris["user.py"], USER)
        wait_for_shown(session, uris["user.py"], "later_customer")
        paths = {snippet["path"] for snippet in context(session, uris["user.py"])["snippets"]}
        assert paths == {"open.py", "later.py"}
        # A key is typed, and a file becomes ignored.
        session.change(uris["later.py"], 2, [{"text": OPEN.replace("charge", "later") + KEY}])
        wait_until(lambda: "later_customer" not in shown(session, uris["user.py"]))
        assert "charge_customer" in shown(session, uris["user.py"])
        (workspace / ".midfillignore").write_text("open.py\n")
        wait_until(lambda: shown(session, uris["user.py"]) == "")


@pytest.mark.parametrize("name", [".env", "ignored.py", "notes.py"])
def test_in_a_private_document_only_invoked_requests_are_answered_from_it_alone(
    ready_cache: Path, tiny_model: Path, tmp_path: Path, name: str
) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    (workspace / ".midfillignore").write_text("ignored.py\n")
    other, private = (workspace / "other.py").as_uri(), (workspace / name).as_uri()
    text = "x = 1\ny = "
    with Session(workspace, options=options(tiny_model), folders=[workspace]) as session:
        session.wait_for_phase("ready")
        session.open(other, OPEN)
        session.open(private, text)
        if name == "notes.py":
            session.complete(private, 1, 4, kind=2)
            assert session.status()["last"]["outcome"] != "skipped"  # until a key is typed
            session.change(private, 2, [{"text": KEY + text}])
        line = 4 if name == "notes.py" else 1
        assert session.complete(private, line, 4, kind=2) == []
        last: dict[str, Any] = session.status()["last"]
        assert last["outcome"] == "skipped"
        assert "unasked" in last["reason"]
        session.complete(private, line, 4, kind=1)
        assert session.status()["last"]["outcome"] != "skipped"
        told = context(session, private, line, 4)
        assert told["snippets"] == []
        assert "unasked" in told["skip"]
        # Of the history, nothing that was said there; of the log neither.
        explanations = session.request("midfill/why", {"last": 1})["explanations"]
        assert explanations[0]["context"] == []
