"""Situations made of the commits of real repositories. Called by `suite`.

    follow   a commit that changed a file in several places: some are the edits, any of the rest may follow
    quiet    a commit that changed one place of one file alone: nothing follows

Which of a file's changes have been made already is drawn. A commit tells what its author changed in the end, not in
which order nor what was typed and taken back; what he did in other files is not seen here. How the repository imports
a name is what it said before the commit.

Rules: which repositories, and in which half, says `repositories`. Seeded. Only what git says is read, up to the commit
that a history ends with; nothing of a repository is run.
"""

import random
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from completion.next_edit.edits import MAX_EDITS, MAX_LINES, LineEdit
from completion.next_edit.imports import imports_alone, missing
from completion.next_edit.layer_one import MAX_NAMES
from completion.next_edit.scene import Scene
from evals.next_edit.situations import Situation
from evals.replay.histories import Named
from evals.report import EvalError
from parsers.languages import by_id, for_document
from parsers.parse import parse

_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
# Commits that are looked at; beyond so many changes of a file it is a formatter, or a merge.
_MAX_COMMITS, _MAX_HUNKS, _MAX_BYTES = 4_000, 14, 150_000


@dataclass(frozen=True, slots=True)
class _FileDiff:
    commit: str
    path: str
    blob: str  # the file before
    hunks: tuple[tuple[int, int, int, int], ...]
    bodies: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


def situations(history: Named, folder: Path, limit: int, seed: int) -> list[Situation]:
    """At most `limit` situations of each kind of a history's repository; EvalError where it is not in `folder`."""
    repository = history.spec.partition("==")[0].replace("/", "+")
    git_dir = next((d for d in (folder / repository / "repo", folder / f"{repository}.git") if d.is_dir()), None)
    if git_dir is None:
        raise EvalError(f"{folder} has no {repository}.git: a bare clone with its history")
    draw = random.Random(f"{seed} {history.name}")
    by_commit: dict[str, list[_FileDiff]] = {}
    for diff in _diffs(git_dir, history.spec.rpartition("..")[2], history.language):
        by_commit.setdefault(diff.commit, []).append(diff)
    found: list[Situation] = []
    counts = {"follow": 0, "quiet": 0}
    order = sorted(by_commit)
    draw.shuffle(order)
    for commit in order:
        diffs = by_commit[commit]
        diff = draw.choice(diffs)
        kind = "follow" if len(diff.hunks) > 1 else "quiet" if len(diffs) == 1 else ""
        if not kind or counts[kind] >= limit or len(diff.hunks) > _MAX_HUNKS:
            continue
        situation = _situation(history, git_dir, diff, draw)
        if situation is not None:
            counts[kind] += 1
            found.append(situation)
        if min(counts.values()) >= limit:
            break
    return found


def _situation(history: Named, git_dir: Path, diff: _FileDiff, draw: random.Random) -> Situation | None:
    text = _git(git_dir, "cat-file", "blob", diff.blob)
    if len(text) > _MAX_BYTES or "\0" in text or "\r" in text:
        return None
    lines = text.split("\n")
    n_hunks = len(diff.hunks)
    done = set(draw.sample(range(n_hunks), draw.randrange(1, n_hunks) if n_hunks > 1 else 1))
    edits, wanted = [], []
    shift = 0
    for number, ((begin, n_old, _, _), (old, new)) in enumerate(zip(diff.hunks, diff.bodies, strict=True)):
        at = begin - 1 if n_old else begin
        line = at + shift
        if tuple(lines[line : line + len(old)]) != old or max(len(old), len(new)) > MAX_LINES:
            return None
        edit = LineEdit(diff.path, line, old, new)
        if number in done:
            lines[line : line + len(old)] = new
            shift += len(new) - len(old)
            edits.append(edit)
        else:
            wanted.append(edit)
    if not any(each.strip() for edit in edits for each in (*edit.old, *edit.new)):
        return None
    situation = Situation(
        id=f"{history.name} {diff.commit[:10]} {diff.path}",
        source=history.name,
        path=diff.path,
        language=for_document(diff.path).id,
        lines=tuple(lines),
        edits=tuple(edits[-MAX_EDITS:]),
        wanted=tuple(wanted),
        cursor=edits[-1].line,
        is_held_out=history.held_out,
    )
    tree = parse(situation.language, "\n".join(lines))
    names = islice(missing(Scene(tree, situation.edits)), MAX_NAMES) if tree.root is not None else ()
    found = ((name, _import_line(git_dir, f"{diff.commit}^", name, situation.language)) for name in names)
    return replace(situation, imports=tuple((name, line) for name, line in found if line))


def _import_line(git_dir: Path, revision: str, name: str, language: str) -> str:
    """How most files import a name alone, before a commit; "" where none does."""
    paths = [f"*{extension}" for extension in by_id(language).extensions]
    command = ["git", "--git-dir", str(git_dir), "grep", "-h", "-w", "-F", "-e", name, revision, "--", *paths]
    lines = subprocess.run(command, capture_output=True).stdout.decode("utf-8", "replace").splitlines()
    alone = Counter(line.strip() for line in lines if imports_alone(line, name))
    return alone.most_common(1)[0][0] if alone else ""


def _diffs(git_dir: Path, newest: str, language: str) -> Iterator[_FileDiff]:
    log = _git(
        git_dir, "log", newest, "--no-merges", f"-n{_MAX_COMMITS}", "-p", "-U0", "--full-index", "--no-color",
        "--no-renames", "--no-ext-diff", "--diff-filter=M", "--format=\x01%H",
        "--", *(f"*{extension}" for extension in by_id(language).extensions),
    )  # fmt: skip
    for entry in log.split("\x01")[1:]:
        commit, _, rest = entry.partition("\n")
        for part in rest.split("\ndiff --git ")[1:] if "\ndiff --git " in f"\n{rest}" else ():
            if (diff := _file_diff(commit, part)) is not None:
                yield diff


def _file_diff(commit: str, part: str) -> _FileDiff | None:
    head = re.search(r"^index (\w{40})\.\.\w{40}.*\n--- a/.*\n\+\+\+ b/(.*)$", part, re.MULTILINE)
    if head is None:
        return None
    marks = list(_HUNK.finditer(part))
    if not marks or len(marks) > _MAX_HUNKS:
        return None
    hunks, bodies = [], []
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        body = part[mark.end() : following.start() if following else len(part)].split("\n")[1:]
        old = tuple(line[1:] for line in body if line.startswith("-"))
        new = tuple(line[1:] for line in body if line.startswith("+"))
        a, n_a, b, n_b = (int(x) if x is not None else 1 for x in mark.groups())
        if (len(old), len(new)) != (n_a, n_b):
            return None
        hunks.append((a, n_a, b, n_b))
        bodies.append((old, new))
    return _FileDiff(commit, head[2], head[1], tuple(hunks), tuple(bodies))


def _git(git_dir: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "--git-dir", str(git_dir), *arguments], capture_output=True)
    if done.returncode:
        raise EvalError(f"git {arguments[0]} in {git_dir}: {done.stderr.decode('utf-8', 'replace').strip()[-300:]}")
    return done.stdout.decode("utf-8", "replace")
