"""`midfill tune --watch`: learns on from what is committed, in idle time, from what was last added.

    look     every few minutes: is there a new commit, and enough new code since the last round
    round    examples of the new lines, and as many of what was learned from before (rehearsal, so that learning the new
             does not unlearn the old); learned, judged on files that nothing was learned from, added if better

Source: rehearsal is experience replay for continual learning (Rolnick et al., 2019).

Rules: a round that was interrupted goes on. What was not better is tried again when there is as much new code again,
all of it together. What was last added stays until a round is better. What may pass (no memory, a tree that is being
checked out) is told once, and does not end it.
"""

import json
import shutil
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from model.library.catalog import read_added, resolve
from tuning.data.example_file import ExampleFile, read, write_some
from tuning.data.history import NotAHistory, head_of, new_lines
from tuning.data.own_code import Code, NewLines, TooLittleCode, find_code
from tuning.data.packing import shuffled
from tuning.run import (
    ADAPTER,
    COMMIT,
    HELD_OUT,
    HELD_OUT_EXAMPLES,
    LEARNED,
    Task,
    TuneError,
    add,
    learn,
    make,
    require_room,
)

WATCH = "watch"  # in a run's folder: what is kept of rounds
_LOOK_EVERY_S = 600.0
_LEAST_LINES = 600  # of new code, for a round: some 100 examples
_RATE_SHARE = 1 / 3  # of a first run's: what is known is to stay known
_STATE, _ROUNDS, _NEW = "state.json", "rounds.jsonl", "new.safetensors"


@dataclass(frozen=True, slots=True)
class _State:
    """The commits up to which all was learned, and after which nothing was tried."""

    learned: str
    tried: str


def watch(task: Task, run: Path) -> int:
    """Learn on until interrupted; returns an exit code where that cannot be."""
    folder = run / WATCH
    _require_kin(task, run)
    folder.mkdir(exist_ok=True)
    print(f"watching {task.root} for commits; interrupt it when it is to end", flush=True)
    told = ""
    while True:
        _require_kin(task, run)
        try:
            if task.power():
                _look(task, run, folder)
                told = ""
        except (TuneError, TooLittleCode, NotAHistory, OSError) as error:
            if str(error) != told:
                told = str(error)
                print(f"midfill: {told}; looking again later", file=sys.stderr)
        _wait()


def _wait() -> None:
    time.sleep(_LOOK_EVERY_S)


def _require_kin(task: Task, run: Path) -> None:
    """TuneError where what was added under the name is not what this run goes on from."""
    if read_added(task.name) is None:
        raise TuneError(f"{task.name} is not there any more: the same command makes it again")
    known = resolve(task.name)
    if (known.row, known.path, known.shipped) != (task.source.row, task.source.path, task.source.shipped):
        raise TuneError(f"{task.name} was learned on another model than {task.model}: give another --name")
    if not (run / LEARNED).exists():
        raise TuneError(f"{task.name} was not learned by `midfill tune` on this machine: give another --name")


def _look(task: Task, run: Path, folder: Path) -> None:
    """Make a round, if there is something for one."""
    state, unfinished = _state(task, run, folder), folder / "round"
    if not (unfinished / COMMIT).exists():
        head = head_of(task.root)
        if head == state.tried:
            return
        try:
            of_late, new = (new_lines(task.root, commit) for commit in (state.tried, state.learned))
        except NotAHistory as error:  # rewritten, so that the commit is gone
            print(f"midfill: {error}; what came since then is not learned", file=sys.stderr)
            _keep(folder, _State(head, head))
            return
        if _n_lines(of_late) < _LEAST_LINES:  # at most so many may be learned, and that takes reading the tree
            return
        code = find_code(task.root)
        of_late, new = _allowed(code, of_late), _allowed(code, new)
        if _n_lines(of_late) < _LEAST_LINES:
            return
        print(f"{_n_lines(new):,} new lines in {len(new)} files up to commit {head[:12]}", flush=True)
        _make(task, _pool(run, folder), code, new, head, unfinished)
    _round(task, run, folder, unfinished, state)


def _state(task: Task, run: Path, folder: Path) -> _State:
    """Where it stands; at the first run's commit in the beginning."""
    path = folder / _STATE
    if path.exists():
        return _State(**json.loads(path.read_text(encoding="utf-8")))
    begun = run / COMMIT
    commit = begun.read_text(encoding="utf-8") if begun.exists() else head_of(task.root)
    state = _State(commit, commit)
    _keep(folder, state)
    return state


def _keep(folder: Path, state: _State) -> None:
    partial = folder / f"{_STATE}.part"
    partial.write_text(json.dumps(asdict(state)), encoding="utf-8")
    partial.replace(folder / _STATE)


def _allowed(code: Code, lines: NewLines) -> NewLines:
    """Of those lines, what may be learned."""
    return {path: numbers for path, numbers in lines.items() if path in code.learned}


def _n_lines(lines: NewLines) -> int:
    return sum(map(len, lines.values()))


def _pool(run: Path, folder: Path) -> Path:
    """All examples that were learned from."""
    own = folder / LEARNED
    return own if own.exists() else run / LEARNED


def _make(task: Task, pool: Path, code: Code, new: NewLines, head: str, round_: Path) -> None:
    """What a round learns from and is judged by."""
    shutil.rmtree(round_, ignore_errors=True)
    round_.mkdir()
    sizes = {path: len(numbers) for path, numbers in new.items()}
    make(task, code, code.held_out, HELD_OUT_EXAMPLES, round_ / HELD_OUT)
    make(task, code, sizes, task.n_examples, round_ / _NEW, new)
    fresh, old = read(round_ / _NEW), read(pool)
    rehearsed: list[int] = []
    for family in shuffled(old, range(len(old)), seed=int(head[:8], 16)):
        if len(rehearsed) < len(fresh):
            rehearsed += family
    write_some(round_ / LEARNED, [*_all(fresh), *((old, number) for number in rehearsed)])
    (round_ / COMMIT).write_text(head, encoding="utf-8")  # the last: from here on it can go on


def _all(file: ExampleFile) -> list[tuple[ExampleFile, int]]:
    return [(file, number) for number in range(len(file))]


def _round(task: Task, run: Path, folder: Path, round_: Path, state: _State) -> None:
    """Learn from a round's examples, and keep what is better."""
    began = time.monotonic()
    keeps = require_room(task, round_)
    known = read_added(task.name)
    assert known is not None, "looked for before each round"
    fresh, learned, held_out = (read(round_ / name) for name in (_NEW, LEARNED, HELD_OUT))
    commit = (round_ / COMMIT).read_text(encoding="utf-8")
    gentle = replace(task, rate=task.rate * _RATE_SHARE)
    judgement = learn(gentle, round_, learned, held_out, keeps, began, start=known.folder)
    is_better = judgement.is_better
    with (folder / _ROUNDS).open("a", encoding="utf-8") as log:
        row = {"commit": commit, "new": len(fresh), "rehearsed": len(learned) - len(fresh), "added": is_better}
        log.write(json.dumps({**row, **asdict(judgement)}) + "\n")
    if is_better:
        if add(task, round_):
            raise TuneError(f"{task.name} could not be made anew; what was learned is in {round_ / ADAPTER}")
        print("editors that are open have it from their next start", flush=True)
        write_some(folder / LEARNED, [*_all(read(_pool(run, folder))), *_all(fresh)])
    else:
        print(f"{task.name} stays as it is ({judgement.why_not})", flush=True)
    _keep(folder, _State(commit if is_better else state.learned, commit))
    shutil.rmtree(round_)
