"""`python -m tests.upgrade.make_old_files`: what midfill 0.1 kept, made by its own code, into `kept_by_0_1.tar.xz`.

An old commit is checked out beside, and its server lives a short life over stdio with a tiny model; `test_upgrade`
opens what it left. To be run again only for another commit: what comes of it stands in the repository.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.environment import without
from tests.model.tiny import make_tiny_model

KEPT = Path(__file__).parent / "kept_by_0_1.tar.xz"
# The last commit of the 26th of November 2026, before the rooms, adapters and next edits.
COMMIT = "b13a9dc"
# As small as a model can be.
SIZES = {
    "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 1,
}  # fmt: skip
_LIFE = """
import json, sqlite3, sys, time
from pathlib import Path
from lsp_server.history import Event, history_file, write
from lsp_server.index.schema import database_of
from model.paths import stores_dir
from model.score import Scorer
from tests.lsp_server.session import Session
work, model = Path(sys.argv[1]), Path(sys.argv[2])
(work / "library.py").write_text("def area_of(width, height):\\n    return width * height\\n")
options = {"model": str(model), "maxWaitMs": 0, "maxPromptTokens": 1024, "maxFileTokens": 512}
options |= {"daemon": {"idle": "always", "idleExitMinutes": 0.02}}
with Session(work, options=options, folders=[work]) as session:
    session.wait_for_phase("ready")
    while session.status()["indexes"][str(work)]["phase"] != "ready":
        time.sleep(0.1)
    uri = (work / "main.py").as_uri()
    session.open(uri, "from library import area_of\\n\\nprint(area_of(1, 2))\\nx = ")
    session.complete(uri, 3, 4, 1)
    while not session.status()["daemon"]["n_blocks_computed"]:
        time.sleep(0.1)
    session.wait_for_phase("asleep")
common = {"language": "python", "mode": "line", "characters": 9, "latency_ms": 120.0, "reused": False}
times = {"accepted": 1_790_000_000.0, "kept": 1_790_000_300.0}
write(history_file(), [
    Event(at=times["accepted"], id="a-1", kind="shown", probability=0.8, **common),
    Event(at=times["accepted"], id="a-1", kind="accepted", probability=0.8, **common),
    Event(at=times["kept"], id="a-1", kind="kept", probability=0.8, share=1.0, **common),
])
with sqlite3.connect(database_of(work)) as index:
    index.execute("PRAGMA journal_mode = DELETE")
    index.execute("VACUUM")
(store,) = stores_dir().iterdir()
ids = list(b"def area_of(width, height):")
told = {"ids": ids, "logprobs": Scorer.open(str(model), "int8").logprobs(ids)}
(stores_dir() / store.name / "told.json").write_text(json.dumps(told))
"""


def main() -> None:
    """Write the archive."""
    root = Path(__file__).parents[2]
    with tempfile.TemporaryDirectory() as folder:
        work, old = Path(folder), Path(folder) / "old"
        old.mkdir()
        archive = subprocess.run(["git", "archive", COMMIT], cwd=root, check=True, capture_output=True).stdout
        subprocess.run(["tar", "x"], cwd=old, input=archive, check=True)
        python = without({"__editable__.midfill", *_finders()}, work / "environment")
        packages = next((work / "environment").glob("lib/*/site-packages"))
        (packages / "old.pth").write_text(f"{old}\n")
        (work / "workspace").mkdir()
        model = make_tiny_model(work / "tiny", **SIZES)
        environment = os.environ | {"MIDFILL_CACHE": str(work / "cache")}
        command = [str(python), "-c", _LIFE, str(work / "workspace"), str(model)]
        subprocess.run(command, cwd=work, env=environment, check=True)
        for leftover in [*(work / "cache").rglob("*.log"), *(work / "cache").rglob("lock")]:
            leftover.unlink()
        with tarfile.open(KEPT, "w:xz") as kept:
            for part in ("stores", "blocks", "index", "state"):
                kept.add(work / "cache" / part, part, filter=_of_nobody)
    print(f"{KEPT}: {KEPT.stat().st_size:,} bytes", file=sys.stderr)


def _finders() -> list[str]:
    """What makes this checkout importable in our own environment."""
    packages = Path(shutil.__file__).parents[0]
    found = [name.name for entry in sys.path for name in Path(entry or packages).glob("__editable___midfill*")]
    return [name.partition("-")[0] for name in found]


def _of_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    main()
