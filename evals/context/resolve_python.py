"""Resolves names of Python by jedi. Used by `resolve`.

Rules: only the tree and the standard library are seen, never what is installed beside the harness: else a tree that
is installed too would resolve to its other copy. What jedi cannot infer, or fails on, is not a use.
"""

import io
import keyword
import sys
import tokenize
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evals.context.needs import Resolver, Target, Uses
from evals.report import EvalError
from evals.sources import SourceFile

# What jedi is known to raise on code that it does not understand; anything else is a bug to hear of.
_JEDI_FAULTS = (AttributeError, AssertionError, KeyError, NotImplementedError, RecursionError, TypeError, ValueError)
# A parameter is a part of its function, which is the target already.
_NO_TARGETS = frozenset(("module", "namespace", "param"))

Place = tuple[int, int]  # line from 1, column from 0


class JediResolver:
    """Implements Resolver; one instance for a tree."""

    def __init__(self, root: Path, files: Sequence[SourceFile]) -> None:
        import jedi

        self._root = root
        self._known = {file.path for file in files}
        self._environment = jedi.api.environment.InterpreterEnvironment()
        self._project = jedi.Project(root, sys_path=_search_path(root), smart_sys_path=True)
        self._script: tuple[str, Any, dict[int, list[Place]]] | None = None

    def uses(self, file: SourceFile, numbers: Sequence[int]) -> Uses:
        """As the protocol says."""
        script, names = self._open(file)
        result: Uses = {}
        for number in numbers:
            targets = [target for place in names.get(number, ()) if (target := self._target(script, file, place))]
            if targets:
                result[number] = tuple(dict.fromkeys(targets))
        return result

    def _open(self, file: SourceFile) -> tuple[Any, dict[int, list[Place]]]:
        """The file's script and the places of its names; the last one is kept."""
        if self._script is None or self._script[0] != file.path:
            import jedi

            script = jedi.Script(
                file.text, path=self._root / file.path, project=self._project, environment=self._environment
            )
            names: dict[int, list[Place]] = {}
            for place in _names(file.text):
                names.setdefault(place[0], []).append(place)
            self._script = (file.path, script, names)
        return self._script[1:]

    def _target(self, script: Any, file: SourceFile, place: Place) -> Target | None:
        """What the name there means when another file of the tree defines it; None for all else."""
        try:
            found = [name for name in script.goto(*place, follow_imports=True) if name.type not in _NO_TARGETS]
        except _JEDI_FAULTS:
            return None
        targets = []
        for name in found:
            path = self._relative(name.module_path)
            if path == file.path:
                return None
            if path in self._known and name.line:
                targets.append(Target(path, name.line, name.name))
        return min(targets, key=lambda target: (target.path, target.line)) if targets else None

    def _relative(self, path: Path | None) -> str:
        """The path relative to the root; "" outside of it."""
        if path is None or not path.is_relative_to(self._root):
            return ""
        return path.relative_to(self._root).as_posix()


def _search_path(root: Path) -> list[str]:
    """Where imports are looked up: the tree, its src/, what is above a package, the standard library."""
    own = [root, root / "src", *([root.parent] if (root / "__init__.py").exists() else [])]
    library = [path for path in sys.path if path and Path(path).name not in ("site-packages", "dist-packages")]
    stdlib = [path for path in library if Path(path).is_relative_to(sys.base_prefix)]
    return [*(str(path) for path in own if path.is_dir()), *stdlib]


def _names(text: str) -> Iterator[Place]:
    """Where names are used; of a file that cannot be tokenized those before the fault."""
    before = ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            # jedi leads from a method to the one it overrides, which its definition does not use.
            if token.type == tokenize.NAME and not keyword.iskeyword(token.string) and before not in ("def", "class"):
                yield token.start
            before = token.string
    except (tokenize.TokenError, SyntaxError):
        return


@contextmanager
def open_python(root: Path, files: Sequence[SourceFile]) -> Iterator[Resolver]:
    """A resolver for the tree; EvalError without jedi."""
    try:
        import jedi  # noqa: F401
    except ImportError as error:
        raise EvalError("jedi is missing: install midfill's development tools (make setup)") from error
    yield JediResolver(root, files)
