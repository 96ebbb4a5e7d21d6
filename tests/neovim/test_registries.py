"""What is ready for the registries of mason and nvim-lspconfig says what is true of this version.

Rules: their formats are theirs to check (docs/editors.md says how); here is what goes stale when midfill changes.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = (ROOT / "neovim/packages/midfill/package.yaml").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_masons_package_is_this_version_with_its_programs() -> None:
    assert f"id: pkg:pypi/{PROJECT['name']}@{PROJECT['version']}\n" in PACKAGE
    assert dict(re.findall(r"^  (\w+): pypi:(\w+)$", PACKAGE, re.MULTILINE)) == {
        name: name for name in PROJECT["scripts"]
    }
    assert PROJECT["description"] in PACKAGE
    assert f"  - {PROJECT['license']}\n" in PACKAGE


def test_masons_package_names_the_client_that_is_there_and_starts_what_it_installs() -> None:
    name = re.search(r"^  lspconfig: (\w+)$", PACKAGE, re.MULTILINE)
    assert name is not None
    client = (ROOT / f"neovim/lsp/{name[1]}.lua").read_text(encoding="utf-8")
    started = re.search(r"cmd = \{ '(\w+)'", client)
    assert started is not None
    assert started[1] in PROJECT["scripts"]
