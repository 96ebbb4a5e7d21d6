"""What an install may lack is told with the command for the way in which it was installed."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from model.library import extras
from tests.environment import without

ROOT = Path(__file__).parents[3]
_IMPORTED_AS = {"detect-secrets": "detect_secrets", "prometheus-client": "prometheus_client"}
# Each of these says itself that it is missing, and what else it is good for.
_TOLD_ELSEWHERE = {"xllamacpp", "ik-llama-cpp-python"}
_CPU_TORCH = "--extra-index-url https://download.pytorch.org/whl/cpu"
_TELL = "import sys; from model.library.extras import lack; print(lack(sys.argv[1], 'this'))"


def _project() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {"": project["dependencies"], **project["optional-dependencies"]}


def _names(lines: list[str], groups: dict[str, list[str]]) -> set[str]:
    """The packages that requirements name, those of extras of ours included."""
    names: set[str] = set()
    for requirement in map(Requirement, lines):
        if requirement.name == "midfill":
            for extra in requirement.extras:
                names |= _names(groups[extra], groups)
        else:
            names.add(requirement.name)
    return names


@pytest.mark.parametrize("extra", extras.PACKAGES)
def test_the_packages_of_an_extra_are_those_that_it_installs(extra: str) -> None:
    groups = _project()
    installed = _names(groups[extra], groups) - _TOLD_ELSEWHERE
    assert {_IMPORTED_AS.get(name, name) for name in installed} == set(extras.PACKAGES[extra])


def test_what_serves_has_none_of_them() -> None:
    groups = _project()
    heavy = {package for packages in extras.PACKAGES.values() for package in packages}
    assert _names(groups[""], groups) & (heavy | {"transformers", "peft", "safetensors[torch]"}) == set()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has no extras."""
    packages = {package for packages in extras.PACKAGES.values() for package in packages} | {"pip"}
    return without(packages, tmp_path_factory.mktemp("bare") / "environment")


def _told(python: Path, extra: str) -> str:
    return subprocess.run([python, "-c", _TELL, extra], check=True, capture_output=True, text=True, cwd="/").stdout


def test_an_environment_that_has_everything_is_told_nothing() -> None:
    assert [extra for extra in extras.PACKAGES if _told(Path(sys.executable), extra) != "\n"] == []


def test_each_way_of_installing_has_its_command(bare: Path) -> None:
    environment = bare.parents[1]
    why = "this needs torch, gguf: "
    assert _told(bare, "quantize") == f'{why}uv pip install --python {bare} {_CPU_TORCH} "midfill[quantize]"\n'
    (environment / "uv-receipt.toml").touch()
    command = _told(bare, "quantize").removeprefix(why)
    assert command.startswith(f'uv tool install {_CPU_TORCH} "midfill[quantize]')
    (environment / "pipx_metadata.json").touch()
    command = _told(bare, "quantize").removeprefix(why)
    assert command.startswith(f'pipx install --force --pip-args="{_CPU_TORCH}" "midfill[quantize]')
    # These programs make the environment anew, from where it came.
    (files,) = environment.glob("lib/*/site-packages/midfill-*.dist-info")
    origin = json.loads((files / "direct_url.json").read_text())["url"]
    assert command.endswith(f'"midfill[quantize] @ {origin}"\n')


def test_torch_for_a_card_comes_from_the_index_that_has_it(bare: Path) -> None:
    told = _told(bare, "cuda")
    assert told.startswith("this needs torch, gguf, bitsandbytes: ")
    assert "index" not in told


def test_with_pip_it_is_this_environments_own(tmp_path: Path) -> None:
    python = without({"datasketch"}, tmp_path / "environment")
    assert _told(python, "tune") == f'this needs datasketch: {python} -m pip install "midfill[tune]"\n'
