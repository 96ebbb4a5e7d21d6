"""The parts of midfill that an install may lack (pyproject's extras), and the one command that brings each.

    quantize      a store from a published file, and torch's kernels where the native ones do not run
    cuda          NVIDIA cards
    transformers  models that our own decoders do not cover
    tune          `midfill tune`
    serve         `midfill serve`
    eval          `midfill eval` and `midfill bench`

Rules: no import of what may be missing. What is said names one command, for the way in which midfill was installed.
"""

import json
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from model.library.catalog import ModelError

# What each imports; a test holds it against pyproject.
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "quantize": ("torch", "gguf"),
    "cuda": ("torch", "gguf", "bitsandbytes"),
    "transformers": ("torch", "gguf", "transformers"),
    "tune": ("torch", "gguf", "datasketch", "detect_secrets", "opacus"),
    "serve": ("starlette", "uvicorn", "prometheus_client"),
    "eval": ("torch", "gguf", "jedi", "matplotlib"),
}
# PyPI has torch for Linux with CUDA alone: gigabytes that a processor has no use for.
_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# What each program leaves in the environment of a tool that it installed.
_PIPX, _UV = "pipx_metadata.json", "uv-receipt.toml"


def missing(extra: str) -> list[str]:
    """The packages of an extra that are not installed here."""
    return [name for name in PACKAGES[extra] if find_spec(name) is None]


def lack(extra: str, what: str) -> str:
    """Why `what` (the subject of the sentence) cannot be done here, with the command that helps; "" when it can."""
    absent = missing(extra)
    return f"{what} needs {', '.join(absent)}: {command_for(extra)}" if absent else ""


def require(extra: str, what: str) -> None:
    """ModelError with `lack`'s sentence when there is one."""
    if why := lack(extra, what):
        raise ModelError(why)


def command_for(extra: str) -> str:
    """The command that adds an extra to this environment, to be copied into a terminal."""
    needs_torch = sys.platform == "linux" and extra != "cuda" and "torch" in missing(extra)
    index = f" --extra-index-url {_CPU_INDEX}" if needs_torch else ""
    environment = Path(sys.prefix)
    if (environment / _PIPX).is_file():
        options = f' --pip-args="{index.strip()}"' if index else ""
        return f'pipx install --force{options} "{_requirement(extra)}"'
    if (environment / _UV).is_file():
        return f'uv tool install{index} "{_requirement(extra)}"'
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    install = f"{python} -m pip install" if find_spec("pip") else f"uv pip install --python {python}"
    return f'{install}{index} "midfill[{extra}]"'  # the one that is installed here, whose version is in force


def _requirement(extra: str) -> str:
    """This midfill with an extra, from where it was installed: these programs make the environment anew."""
    try:
        origin = json.loads(distribution("midfill").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        origin = {}
    return f"midfill[{extra}] @ {origin['url']}" if "url" in origin else f"midfill[{extra}]"
