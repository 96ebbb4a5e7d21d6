"""How large an environment with midfill in it is, in megabytes as `du -m` counts them.

    python -m evals.bench.install_size dist/midfill-*_x86_64.whl [--python PYTHON] [--pip OPTION ...]

A virtual environment is made, the wheel is installed into it by pip as docs/install.md says, and what serves a window
is imported once: Python compiles that, unless pip did (`--pip=--compile`). The last line is JSON.

Rules: PyPI, or what stands in pip's configuration for it, is asked for the packages. The folder goes at the end.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

_SERVE = (
    "import lsp_server.methods.table, lsp_server.index.worker, lsp_server.cli.__main__; "
    "import model.daemon, model.engine.startup, parsers.guard_child"
)
_LARGEST = 8


def main(arguments: list[str]) -> None:
    """Print the sizes: the environment alone, with midfill, after its first use; and the largest packages."""
    parser = argparse.ArgumentParser(prog="evals.bench.install_size", description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--pip", action="append", default=[], metavar="OPTION", help="instead of --no-compile")
    given = parser.parse_args(arguments)
    sizes: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="midfill-bench-") as temporary:
        environment = Path(temporary) / "midfill"
        python = environment / "bin/python"
        pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        for name, command in (
            ("environment", [given.python, "-m", "venv", environment]),
            ("installed", [*pip, *(given.pip or ["--no-compile"]), given.wheel]),
            ("used", [python, "-I", "-c", _SERVE]),
        ):
            subprocess.run([str(part) for part in command], check=True, cwd="/")
            sizes[name] = _megabytes(environment)
            print(f"{sizes[name]:7.1f} MB  {name}")
        (packages,) = environment.glob("lib/python*/site-packages")
        largest = sorted(((_megabytes(entry), entry.name) for entry in packages.iterdir()), reverse=True)[:_LARGEST]
    print("of these:", ", ".join(f"{name} {size:.0f}" for size, name in largest))
    print(
        json.dumps(
            {
                "bench": "install_size",
                "python": given.python,
                "sizes_mb": sizes,
                "packages": {name: size for size, name in largest},
            }
        )
    )


def _megabytes(path: Path) -> float:
    used = subprocess.run(["du", "-s", "-B1", str(path)], capture_output=True, text=True, check=True).stdout
    return int(used.split()[0]) / 2**20


if __name__ == "__main__":
    main([str(Path(each).resolve()) if each.endswith(".whl") else each for each in sys.argv[1:]])
