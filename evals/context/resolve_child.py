"""Resolves names of TypeScript, JavaScript and Java by their own compilers, as child processes. Used by `resolve`.

TypeScript is fetched once by npm into the cache; Java needs a JDK. The scripts that run in them are in resolvers/.

Rules: the tree's own code and build are never run; npm runs no scripts of packages. A tool that is missing is an
EvalError that says what to install.
"""

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from evals.context.needs import Resolver, Target, Uses
from evals.report import EvalError
from evals.sources import SourceFile
from model.library.paths import cache_dir

_SCRIPTS = Path(__file__).parents[1] / "resolvers"
_TYPESCRIPT = "typescript@5.9"
_FETCH_TIMEOUT_S = 300
_JAVA_TIMEOUT_S = 1_800
# A tree of thousands of files needs more than node's default.
_NODE_HEAP_MB = 4096


class TypeScriptResolver:
    """Implements Resolver: asks the language service, one JSON line each way."""

    def __init__(self, process: "subprocess.Popen[str]", files: Sequence[SourceFile], root: Path) -> None:
        self._process = process
        self._known = {file.path for file in files}
        self._ask({"root": str(root), "files": [file.path for file in files]})

    def uses(self, file: SourceFile, numbers: Sequence[int]) -> Uses:
        """As the protocol says."""
        result: dict[int, list[Target]] = {}
        for number, path, line, name in self._ask({"path": file.path, "lines": list(numbers)}):
            if path in self._known:
                result.setdefault(number, []).append(Target(path, line, name))
        return {number: tuple(dict.fromkeys(targets)) for number, targets in result.items()}

    def _ask(self, question: dict[str, object]) -> list[tuple[int, str, int, str]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has left: there is no answer to read
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise EvalError("the TypeScript language service ended; its last words are above")
        rows: list[tuple[int, str, int, str]] = json.loads(answer)
        return rows


@contextmanager
def open_typescript(root: Path, files: Sequence[SourceFile]) -> Iterator[Resolver]:
    """A language service over the tree's files; EvalError without node, or npm at its first use."""
    node = shutil.which("node")
    if node is None:
        raise EvalError("node is missing: install Node.js 18 or newer, with npm")
    command = [
        node,
        f"--max-old-space-size={_NODE_HEAP_MB}",
        str(_SCRIPTS / "typescript.cjs"),
        str(typescript_library()),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        try:
            yield TypeScriptResolver(process, files, root)
        finally:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()  # it leaves at the end of its input


def typescript_library() -> Path:
    """The compiler's package folder in the cache, fetched when it is not there."""
    folder = cache_dir() / "tools" / _TYPESCRIPT
    library = folder / "node_modules" / "typescript"
    if (library / "package.json").exists():
        return library
    npm = shutil.which("npm")
    if npm is None:
        raise EvalError(f"npm is missing, and {_TYPESCRIPT} has not been fetched yet: install npm")
    folder.mkdir(parents=True, exist_ok=True)
    options = ("--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error")
    command = [npm, "install", "--prefix", str(folder), *options, _TYPESCRIPT]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_FETCH_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
        raise EvalError(f"npm could not fetch {_TYPESCRIPT} ({reason}): is there a network?") from error
    return library


class JavaResolver:
    """Implements Resolver from javac's answers about the whole tree."""

    def __init__(self, rows: str, files: Sequence[SourceFile]) -> None:
        known = {file.path for file in files}
        self._uses: dict[str, dict[int, list[Target]]] = {}
        for row in rows.splitlines():
            number, path, to_line, to_path, name = row.split("\t")
            if path in known and to_path in known:
                targets = self._uses.setdefault(path, {}).setdefault(int(number), [])
                targets.append(Target(to_path, int(to_line), name))

    def uses(self, file: SourceFile, numbers: Sequence[int]) -> Uses:
        """As the protocol says."""
        uses = self._uses.get(file.path, {})
        return {number: tuple(dict.fromkeys(uses[number])) for number in numbers if number in uses}


@contextmanager
def open_java(root: Path, files: Sequence[SourceFile]) -> Iterator[Resolver]:
    """javac's attribution of the whole tree; EvalError without a JDK."""
    java, javac = shutil.which("java"), shutil.which("javac")
    if java is None or javac is None:
        raise EvalError("javac is missing: install a JDK, 17 or newer")
    with tempfile.TemporaryDirectory() as empty:  # nothing else is found on the class path
        command = [java, str(_SCRIPTS / "Resolver.java"), str(root), empty]
        try:
            done = subprocess.run(
                command,
                input="\n".join(file.path for file in files),
                capture_output=True,
                text=True,
                encoding="utf-8",
                check=True,
                timeout=_JAVA_TIMEOUT_S,
            )
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip().splitlines() or ["no message"])[0]
            raise EvalError(f"javac could not read {root} ({reason}): is the JDK 17 or newer?") from error
        except subprocess.TimeoutExpired as error:
            raise EvalError(f"javac needed more than {_JAVA_TIMEOUT_S} s for {root}") from error
    yield JavaResolver(done.stdout, files)
