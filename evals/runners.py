"""What each suite and benchmark of the command line calls, with which of its arguments. Used by `cli`.

Rules: suites are imported when they run, so that `--help` and a typo answer at once.
"""

import argparse
import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from evals.replay.history import DEFAULT_HISTORY
from evals.report import EvalError
from evals.suites.mceval_languages import SPLITS
from model.library.catalog import DEFAULT_MODEL

if TYPE_CHECKING:
    from evals.setup import Setup

CONTEXTS = ("1k", "4k", "16k")
_KEYSTROKES, _TYPING_KEYSTROKES, _TEAM_KEYSTROKES, _RENAMES = 300, 1_500, 200, 100
Runner = Callable[[argparse.Namespace], int]


def runner_of(a: argparse.Namespace) -> Runner:
    """The function that runs what the arguments ask for, and returns the exit code."""
    if a.command == "bench":
        return BENCHES["ladder" if a.device and a.what == "speed" else a.what]
    return SUITES[a.suite]


def _setup(a: argparse.Namespace) -> "Setup":
    """What all suites take that generate."""
    from evals.setup import Setup

    return Setup(
        engine=a.engine,
        model=a.model,
        prompt_format=a.format,
        data=getattr(a, "data", None),
        out=a.out,
        resume=getattr(a, "resume", False),
        url=a.url,
    )


def _humaneval(a: argparse.Namespace) -> int:
    from evals.suites import humaneval_infilling as suite

    selection = suite.Selection(split=a.split, limit=a.limit, half=a.half, seed=a.seed)
    return asyncio.run(suite.run(selection, _setup(a)))


def _humaneval_bodies(a: argparse.Namespace) -> int:
    from evals.suites import humaneval_bodies as suite
    from evals.suites.humaneval_infilling import Selection

    selection = Selection(split="bodies", limit=a.limit, half=a.half, seed=a.seed)
    return asyncio.run(suite.run(selection, _setup(a)))


def _targets(a: argparse.Namespace) -> int:
    from evals.engines import INVOKED, REMOTE
    from evals.suites import targets as suite
    from evals.suites.humaneval_infilling import Selection

    a.engine, a.format = REMOTE if a.url else INVOKED, "auto"
    selection = Selection(split="", limit=a.limit, half=a.half, seed=a.seed)
    return asyncio.run(suite.run(selection, _setup(a)))


def _mceval(a: argparse.Namespace) -> int:
    from evals.suites import mceval

    splits = SPLITS if a.split == "both" else (a.split,)
    return asyncio.run(mceval.run(a.lang, _setup(a), splits=splits, limit=a.limit, seed=a.seed))


def _all(a: argparse.Namespace) -> int:
    from evals.suites import overall

    return asyncio.run(overall.run(_setup(a), minutes=a.budget, path=a.path, seed=a.seed))


def _lines(a: argparse.Namespace) -> int:
    from evals.suites import lines

    run = lines.run(a.path, _setup(a), limit=a.limit, seed=a.seed, nll=not a.no_nll, window_tokens=a.window)
    return asyncio.run(run)


def _calibration(a: argparse.Namespace) -> int:
    from evals.typing import calibration

    return calibration.run(a.results, a.out)


def _ghosts(a: argparse.Namespace) -> int:
    from evals.replay.histories import of_set
    from evals.typing import ghosts

    return asyncio.run(
        ghosts.run(
            histories=of_set(a.set),
            n_keys=a.keys,
            model=a.model,
            is_whole=a.whole,
            told=a.told,
            is_ablation=a.ablate,
            seed=a.seed,
            out=a.out,
            resume=a.resume,
        )
    )


def _quietness(a: argparse.Namespace) -> int:
    from evals.typing import quietness

    return quietness.run(a.results, a.out)


def _next_edit(a: argparse.Namespace) -> int:
    from completion.next_edit.judge import THRESHOLD
    from evals.next_edit import suite

    limit = a.limit or 10**6
    threshold = THRESHOLD if a.threshold is None else a.threshold
    asked = suite.Asked(model=a.model, form=a.form, threshold=threshold, out=a.out, resume=a.resume)
    if a.fit:
        return suite.run_fit(a.data, limit, a.seed, asked)
    if any(a.data.glob("*.txtar")):
        return suite.run_recorded(a.data, asked)
    if any(a.data.glob("*/recording.w.json")):
        return suite.run_rated(a.data, asked)
    return suite.run_commits(a.data, a.set, limit, a.seed, asked)


def _refusals(a: argparse.Namespace) -> int:
    from evals.suites import refusals

    return refusals.run(a.path, limit=a.limit, seed=a.seed, out=a.out)


def _nll(a: argparse.Namespace) -> int:
    from evals.suites import nll

    return nll.run(a.path, n_tokens=a.tokens, model=a.model, kinds=a.kind, out=a.out)


def _recall(a: argparse.Namespace) -> int:
    from evals.context import recall

    return recall.run(a.path, language=a.lang, limit=a.limit, seed=a.seed, model=a.model, out=a.out)


def _repo(a: argparse.Namespace) -> int:
    from evals.context import repo

    return repo.run(
        a.path,
        language=a.lang,
        split=a.split,
        limit=a.limit,
        seed=a.seed,
        n_tokens=a.tokens,
        model=a.model,
        out=a.out,
    )


def _retrieval(a: argparse.Namespace) -> int:
    from evals.context import retrieval

    return retrieval.run(
        n_chunks=a.synthetic, roots=a.path, n_queries=a.queries, n_exact=a.exact, seed=a.seed, out=a.out
    )


def _page(a: argparse.Namespace) -> int:
    from evals.pages import page

    return page.run(a.results, a.out)


def _blocks(a: argparse.Namespace) -> int:
    from evals.context import blocks

    return blocks.run(a.path, limit=a.limit, seed=a.seed, model=a.model, out=a.out)


def _suffix(a: argparse.Namespace) -> int:
    from evals.context import suffix

    return suffix.run(a.path, limit=a.limit, seed=a.seed, model=a.model, out=a.out)


def _compare(a: argparse.Namespace) -> int:
    from evals.suites import compare

    return compare.run(a.a, a.b, a.measure)


def _speed(a: argparse.Namespace) -> int:
    from evals.bench import speed_bench

    return asyncio.run(
        speed_bench.run(
            a.model, repetitions=a.repetitions, quick=a.quick, peer=not a.no_peer, llama_lib=a.llama_lib, out=a.out
        )
    )


def _ladder(a: argparse.Namespace) -> int:
    from evals.bench import ladder

    plan = ladder.Plan(repetitions=a.repetitions)
    return ladder.run(
        device=a.device or "cuda",
        shapes=a.shape or ([] if a.model else ["1.5b"]),
        models=a.model,
        rungs=a.rung,
        plan=ladder.quick(plan) if a.quick else plan,
        out=a.out,
    )


def _replay(a: argparse.Namespace) -> int:
    from evals.replay import replay_bench

    return asyncio.run(
        replay_bench.run(
            history=a.history[0] if a.history else DEFAULT_HISTORY,
            names=a.context or list(CONTEXTS),
            n_keystrokes=a.keystrokes or _KEYSTROKES,
            model=_first_model(a),
            peer=not a.no_peer,
            next_edits=a.next_edits,
            seed=a.seed,
            out=a.out,
        )
    )


def _typing(a: argparse.Namespace) -> int:
    from evals.replay.histories import named, of_set
    from evals.typing import typing_bench

    if len(a.context or []) > 1:
        raise EvalError("bench typing plays one --context")
    if a.machine != 1 and not a.no_peer:
        raise EvalError("only midfill's server can be slowed: give --no-peer beside --machine")
    plan = typing_bench.Plan(
        histories=named(a.history) if a.history else of_set(a.set),
        n_keys=a.keystrokes or _TYPING_KEYSTROKES,
        size=typing_bench.size_of((a.context or ["4k"])[0]),
        model=_first_model(a),
        peer=not a.no_peer,
        seed=a.seed,
        speed=a.speed,
        quietness=a.quietness,
        without=a.without,
        transcript=a.transcript,
        shown=a.shown,
        patience=a.patience,
        url=a.url or "",
        machine=a.machine,
    )
    return asyncio.run(typing_bench.run(plan, a.out, resume=a.resume))


def _team(a: argparse.Namespace) -> int:
    from evals.replay.histories import named, of_set

    try:
        from evals.typing import team
    except ModuleNotFoundError as error:
        raise EvalError(f"bench team needs {error.name}: pip install {error.name}") from error
    if not a.url:
        raise EvalError("bench team needs --url, the server's")
    plan = team.TeamPlan(
        url=a.url,
        model=a.model[0] if a.model else "",
        typists=a.typists,
        histories=named(a.history) if a.history else of_set(a.set),
        n_keys=a.keystrokes or _TEAM_KEYSTROKES,
        seed=a.seed,
        speed=a.speed,
    )
    return asyncio.run(team.run(plan, a.out))


def _ablation(a: argparse.Namespace) -> int:
    from evals.typing import ablation

    if a.out is None:
        raise EvalError("bench ablation needs --out DIR, where its runs are kept")
    if a.without:
        raise EvalError("bench ablation leaves out one at a time: choose with --only")
    arguments = ["--seed", str(a.seed), "--speed", str(a.speed), "--model", _first_model(a)]
    arguments += ["--keystrokes", str(a.keystrokes or _TYPING_KEYSTROKES)]
    arguments += [word for context in a.context or [] for word in ("--context", context)]
    arguments += [word for name in a.history for word in ("--history", name)] or ["--set", a.set]
    return ablation.run(arguments, a.only, a.out)


def _soak(a: argparse.Namespace) -> int:
    from evals.replay import soak

    return asyncio.run(
        soak.run(
            n_keystrokes=a.keystrokes or _KEYSTROKES, n_kills=a.kills, model=_first_model(a), seed=a.seed, out=a.out
        )
    )


def _index(a: argparse.Namespace) -> int:
    from evals.replay import index_bench

    if a.path is None:
        raise EvalError("bench index needs --path DIR")
    return asyncio.run(
        index_bench.run(
            path=a.path, n_keystrokes=a.keystrokes or _KEYSTROKES, model=_first_model(a), seed=a.seed, out=a.out
        )
    )


def _next_edit_speed(a: argparse.Namespace) -> int:
    from evals.replay import next_edit_bench

    if a.path is None:
        raise EvalError("bench next-edit needs --path DIR")
    return asyncio.run(next_edit_bench.run(path=a.path, n_files=a.keystrokes or _RENAMES, seed=a.seed, out=a.out))


def _first_model(a: argparse.Namespace) -> str:
    return a.model[0] if a.model else DEFAULT_MODEL


BENCHES: dict[str, Runner] = {
    "speed": _speed,
    "ladder": _ladder,
    "replay": _replay,
    "typing": _typing,
    "team": _team,
    "ablation": _ablation,
    "soak": _soak,
    "index": _index,
    "next-edit": _next_edit_speed,
}
SUITES: dict[str, Runner] = {
    "humaneval-infilling": _humaneval,
    "humaneval-bodies": _humaneval_bodies,
    "targets": _targets,
    "mceval": _mceval,
    "all": _all,
    "lines": _lines,
    "refusals": _refusals,
    "calibration": _calibration,
    "ghosts": _ghosts,
    "quietness": _quietness,
    "next-edit": _next_edit,
    "nll": _nll,
    "recall": _recall,
    "repo": _repo,
    "retrieval": _retrieval,
    "page": _page,
    "blocks": _blocks,
    "suffix": _suffix,
    "compare": _compare,
}
