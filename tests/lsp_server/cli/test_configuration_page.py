"""docs/configuration.md is what the module prints, and what it advises is accepted."""

from pathlib import Path

import pytest

from lsp_server.cli.configuration_page import ADVICE, nested, page
from lsp_server.config import FIELDS, defaults, flatten, load

ROOT = Path(__file__).parents[3]


def test_the_document_is_the_page() -> None:
    written = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert written == page(), "python -m lsp_server.cli.configuration_page > docs/configuration.md"


def test_every_key_has_its_advice() -> None:
    assert list(ADVICE) == list(FIELDS)


@pytest.mark.parametrize("key", list(ADVICE))
def test_an_example_is_accepted_and_changes_its_key_alone(key: str) -> None:
    config, problems = load(nested(key, ADVICE[key][1]))
    assert problems == []
    assert {name for name, value in flatten(config).items() if value != defaults()[name]} == {key}


def test_an_example_is_written_as_each_editor_wants_it() -> None:
    text = page()
    assert '| VS Code | `"midfill.daemon.threads": 4` |' in text
    assert "| Neovim | `settings = { context = { pinned = { 'docs/style.md', 'src/types.ts' } } }` |" in text
    assert '| initializationOptions | `{"context": {"index": false}}` |' in text
