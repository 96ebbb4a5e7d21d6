"""An environment in which packages are not installed: what midfill's extras bring is left out, all else is shared."""

import subprocess
import sys
import sysconfig
from collections.abc import Collection
from pathlib import Path


def without(packages: Collection[str], folder: Path) -> Path:
    """The Python of a new environment with what this one has, less some packages by their folders' names."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin/python"
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]
    into = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if entry.name.partition("-")[0] not in packages:
            (into / entry.name).symlink_to(entry)
    return python
