"""The source files of one state of a repository (from git) or of a package (from npm), by path. Called by `history`.

Of a repository, `OWNER/NAME`, only the states that are asked for are fetched, into a bare repository in the cache
folder; packages are kept there as they come. A repository on this machine is named by its path (`/home/me/tool`,
`./tool`), and read where it is. Nothing of any of them is run.
"""

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from evals.report import EvalError
from model.library.paths import cache_dir
from parsers.languages import for_document

_HOST = "https://github.com"
# What is longer was made by a program.
_MAX_BYTES = 200_000
_FETCH_S = 600


def is_path(repository: str) -> bool:
    """Whether a repository is named by its path on this machine."""
    return repository.startswith((".", "~")) or Path(repository).is_absolute()


def git_files(repository: str, revision: str) -> dict[str, str]:
    """The source files of a tag or commit; EvalError when it cannot be had."""
    if is_path(repository):
        folder = _git_folder(Path(repository).expanduser())
    else:
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
        return _texts(archive, lambda member: member.name in wanted)


def npm_files(name: str, version: str) -> dict[str, str]:
    """The source files of a package's release; EvalError when it cannot be had."""
    folder = cache_dir() / "releases" / f"npm-{name.replace('/', '+')}-{version}"
    if not sorted(folder.glob("*.tgz")):
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", "--silent", "--ignore-scripts", f"--pack-destination={folder}", f"{name}@{version}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise EvalError(f"npm could not download {name}@{version}: {error}") from error
        if done.returncode:
            raise EvalError(f"npm could not download {name}@{version}: {done.stderr.strip()[-300:]}")
    with tarfile.open(sorted(folder.glob("*.tgz"))[0]) as archive:
        found = _texts(archive, lambda member: member.size <= _MAX_BYTES and is_source(member.name))
    return {path.partition("/")[2]: text for path, text in found.items()}


def _texts(archive: tarfile.TarFile, is_wanted: Callable[[tarfile.TarInfo], bool]) -> dict[str, str]:
    return {
        member.name: content.read().decode("utf-8", "replace").replace("\r\n", "\n")
        for member in archive
        if is_wanted(member) and (content := archive.extractfile(member)) is not None
    }


def is_source(path: str) -> bool:
    """Whether a file is of a language with a grammar, so code."""
    return bool(PurePosixPath(path).suffix) and for_document(path).grammar is not None


def _git_folder(tree: Path) -> Path:
    command = ["git", "-C", str(tree), "rev-parse", "--absolute-git-dir"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise EvalError(f"{tree} is no git repository: {done.stderr.strip()[-300:]}")
    return Path(done.stdout.strip())


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
