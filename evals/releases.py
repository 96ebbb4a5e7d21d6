"""The files of two states of a repository or package, by path: from git. Called by `history`.

A repository is `OWNER/NAME`; the two states alone are fetched, into a bare repository in the cache folder. Nothing of
it is run.
"""

import io
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

from evals.report import EvalError
from model.paths import cache_dir
from parsers.languages import for_document

_HOST = "https://github.com"
# What is longer was made by a program.
_MAX_BYTES = 200_000
_FETCH_S = 600


def git_files(repository: str, revision: str) -> dict[str, str]:
    """The source files of a tag or commit; EvalError when it cannot be had."""
    folder = cache_dir() / "releases" / f"{repository.replace('/', '+')}.git"
    if not _is_there(folder, revision):
        _fetch(repository, revision, folder)
    found = _git(folder, "ls-tree", "-r", "-l", "-z", "--full-tree", revision).decode("utf-8", "replace")
    paths = []
    for row in filter(None, found.split("\0")):
        facts, _, path = row.partition("\t")
        size = facts.split()[3]
        if size.isdecimal() and int(size) <= _MAX_BYTES and is_source(path):
            paths.append(path)
    with tarfile.open(fileobj=io.BytesIO(_git(folder, "archive", "--format=tar", revision))) as archive:
        wanted = set(paths)
        return {
            member.name: content.read().decode("utf-8", "replace").replace("\r\n", "\n")
            for member in archive
            if member.name in wanted and (content := archive.extractfile(member)) is not None
        }


def is_source(path: str) -> bool:
    """Whether a file is of a language with a grammar, so code."""
    return bool(PurePosixPath(path).suffix) and for_document(path).grammar is not None


def _is_there(folder: Path, revision: str) -> bool:
    command = ["git", "--git-dir", str(folder), "cat-file", "-e", f"{revision}^{{tree}}"]
    return folder.is_dir() and subprocess.run(command, capture_output=True).returncode == 0


def _fetch(repository: str, revision: str, folder: Path) -> None:
    is_commit = len(revision) == 40 and all(character in "0123456789abcdef" for character in revision)
    wanted = revision if is_commit else f"refs/tags/{revision}:refs/tags/{revision}"
    try:
        if not folder.is_dir():
            subprocess.run(["git", "init", "--quiet", "--bare", str(folder)], check=True, capture_output=True)
        command = ["git", "--git-dir", str(folder), "fetch", "--quiet", "--no-tags", "--depth", "1"]
        done = subprocess.run(
            [*command, f"{_HOST}/{repository}", wanted], capture_output=True, text=True, timeout=_FETCH_S
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EvalError(f"git could not fetch {repository}: {error}") from error
    if done.returncode:
        raise EvalError(f"git could not fetch {repository} at {revision}: {done.stderr.strip()[-300:]}")


def _git(folder: Path, *arguments: str) -> bytes:
    done = subprocess.run(["git", "--git-dir", str(folder), *arguments], capture_output=True)
    if done.returncode:
        raise EvalError(f"git {arguments[0]} in {folder}: {done.stderr.decode('utf-8', 'replace').strip()[-300:]}")
    return done.stdout
