"""The command line of the harness: `midfill eval SUITE ...` and `midfill bench ...`.

`main` gets the words after `midfill`. What goes wrong without a bug of ours is one line on standard error
and exit code 1; wrong arguments exit with 2, as argparse does.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from completion.switches import Switch, UnknownSwitch, switches
from evals.engines import ENGINES, FORMATS, KINDS
from evals.next_edit.asking import FORMS
from evals.peers.client import WorkerError
from evals.replay.histories import HISTORIES, SETS
from evals.replay.history import DEFAULT_HISTORY
from evals.report import EvalError
from evals.runners import BENCHES, CONTEXTS, runner_of
from evals.suites.mceval_languages import SPLITS
from lsp_server.ablation import switch_off
from model.library.catalog import DEFAULT_MODEL, ModelError

# As evals.bench.ladder has them, which imports torch.
SHAPES = ("0.5b", "1.5b", "7b", "tiny")
RUNGS = ("fp32_plain", "fp32", "bf16", "llmint8", "nf4")
_INFILLING_SPLITS = ("single-line", "multi-line", "random-span", "random-span-light", "all")


def main(argv: list[str]) -> int:
    """Run one suite; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        switch_off(getattr(arguments, "without", []))
        return runner_of(arguments)(arguments)
    except (EvalError, ModelError, WorkerError, UnknownSwitch) as error:
        print(f"midfill: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("midfill: interrupted; the examples so far are kept", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="midfill")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_bench(commands)
    suites = commands.add_parser("eval", help="quality").add_subparsers(dest="suite", required=True)
    _add_generated(suites)
    _add_context(suites)
    _add_scored(suites)
    return parser


def _add_bench(commands: Any) -> None:
    bench = commands.add_parser("bench", help="speed and memory beside llama.cpp and ik_llama.cpp on the same files")
    bench.add_argument(
        "what",
        nargs="?",
        choices=tuple(BENCHES),
        default="speed",
        help="engines side by side, kinds of weights on a card, what a typing person gets, the times of a replay, ...",
    )
    bench.add_argument("--repetitions", type=_positive, default=3)
    bench.add_argument("--quick", action="store_true", help="short prompts only: minutes instead of half an hour")
    bench.add_argument("--model", action="append", default=[], help="catalog name, or path of a GGUF file; repeatable")
    bench.add_argument(
        "--llama-lib",
        type=Path,
        metavar="PATH",
        help="of speed: a llama.cpp library built for this machine as the peer",
    )
    bench.add_argument("--no-peer", action="store_true", help="of speed, replay and typing: midfill alone")
    ladder = bench.add_argument_group("ladder")
    ladder.add_argument("--device", choices=("cuda", "cpu"), help="measure kinds of weights on it (default cuda)")
    ladder.add_argument("--shape", action="append", default=[], choices=SHAPES, help="random weights; repeatable")
    ladder.add_argument("--rung", action="append", default=[], choices=RUNGS, help="repeatable (default all)")
    replay = bench.add_argument_group("replay, typing, soak, index and next-edit")
    names = ", ".join(each.name for each in HISTORIES)
    replay.add_argument(
        "--history",
        action="append",
        default=[],
        help=f"two releases (default of the replay {DEFAULT_HISTORY}); of typing repeatable, also by name: {names}",
    )
    replay.add_argument("--context", action="append", choices=CONTEXTS, help="size of the prompts; repeatable")
    replay.add_argument(
        "--keystrokes", type=_positive, help="default 300; of typing 1,500 of each history; of next-edit, renames (100)"
    )
    replay.add_argument("--kills", type=_count, default=10, help="of the soak: how often the daemon is killed")
    replay.add_argument("--next-edits", action="store_true", help="of replay: ask what follows behind every key, too")
    replay.add_argument("--seed", type=int, default=0)
    replay.add_argument("--path", type=Path, help="of the index and next-edit: the source tree, which is copied")
    _add_typing(bench.add_argument_group("typing"))
    team = bench.add_argument_group("team")
    team.add_argument(
        "--url", help="of an OpenAI-style server that all ask, its key in OPENAI_API_KEY; of typing: midfill's engine"
    )
    team.add_argument("--typists", type=_positive, nargs="+", default=[1, 4, 16, 64], help="how many at once, in turn")
    _add_out(bench)


def _add_typing(typing: Any) -> None:
    typing.add_argument("--set", choices=SETS, default="chosen", help="histories, if none is named (default chosen)")
    typing.add_argument("--quietness", type=float, help="of midfill (default: its own)")
    _add_without(typing)
    typing.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        default=[],
        type=_switch_name,
        help="of the ablation: a mechanism to leave out alone; repeatable (default: each of automatic requests)",
    )
    typing.add_argument("--speed", type=_speed, default=1.0, help="divides how long the person takes for everything")
    typing.add_argument(
        "--patience", type=_seconds, default=0.0, help="seconds that she waits for suggestions at every fourth key"
    )
    typing.add_argument(
        "--machine", type=_speed, default=1.0, metavar="TIMES", help="as on a machine that is so many times as fast"
    )
    typing.add_argument("--transcript", action="store_true", help="print each key, what was shown and what accepted")
    typing.add_argument("--shown", type=Path, metavar="FILE", help="write a JSON line for each ghost, to be read")
    _add_resume(typing)


def _add_generated(suites: Any) -> None:
    """What is generated from files alone."""
    infilling = suites.add_parser("humaneval-infilling", help="masked lines of HumanEval, executed")
    infilling.add_argument("--split", choices=_INFILLING_SPLITS, default="single-line")
    bodies = suites.add_parser("humaneval-bodies", help="function bodies of HumanEval, executed")
    targets = suites.add_parser("targets", help="how near a model comes to the accuracies that are aimed at")
    for executed in (infilling, bodies, targets):
        executed.add_argument("--half", choices=("a", "b"), default="", help="problems of one half only")
        _add_data(executed)
    for executed in (infilling, bodies):
        _add_generation(executed, limit=0)
    _add_url(targets)
    _add_sample(targets, limit=0, of="lines and bodies each")
    _add_model(targets)
    _add_resume(targets)

    mceval = suites.add_parser("mceval", help="masked lines and bodies in 37 languages, executed where they can be")
    mceval.add_argument("--lang", nargs="+", default=[], help="McEval's names of languages (default: all)")
    mceval.add_argument("--split", choices=(*SPLITS, "both"), default="both")
    _add_data(mceval)
    _add_generation(mceval, limit=10, of="problems of each language")

    everything = suites.add_parser("all", help="a sample of all these suites in a given time, with an HTML page")
    everything.add_argument("--budget", type=_positive, required=True, help="minutes that the examples may take")
    everything.add_argument("--path", type=Path, help="a source tree: real lines of it too")
    everything.add_argument("--seed", type=int, default=0)
    _add_data(everything)
    _add_engine(everything)
    _add_model(everything)

    lines = suites.add_parser("lines", help="masked lines of any source tree")
    lines.add_argument("--path", type=Path, required=True)
    lines.add_argument("--no-nll", action="store_true", help="exact match only: half the time and memory")
    lines.add_argument("--window", type=_positive, default=4096, help="longest prompt in tokens (default 4096)")
    _add_generation(lines, limit=100)

    calibration = suites.add_parser("calibration", help="whether what ghosts promise comes true")
    calibration.add_argument("results", type=Path, nargs="+", help="of bench typing")
    _add_out(calibration)

    ghosts = suites.add_parser(
        "ghosts", help="what would be shown at many keys of real edits, and how far it was right"
    )
    ghosts.add_argument("--set", choices=SETS, default="chosen", help="histories (default chosen)")
    ghosts.add_argument("--keys", type=_positive, default=250, help="of each history (default 250)")
    ghosts.add_argument("--whole", action="store_true", help="do not cut answers, and print a table of thresholds")
    ghosts.add_argument("--told", type=Path, help="tell the answers of a run with --whole again, in place of the model")
    ghosts.add_argument("--ablate", action="store_true", help="of --told: leave out each mechanism in turn")
    ghosts.add_argument("--seed", type=int, default=0)
    _add_model(ghosts)
    _add_without(ghosts)
    _add_resume(ghosts)

    quietness = suites.add_parser("quietness", help="which quietness completes most, of runs of bench typing")
    quietness.add_argument("results", type=Path, nargs="+", help="of bench typing --quietness Q, one for each Q")
    _add_out(quietness)

    refusals = suites.add_parser("refusals", help="real lines that the filters would change; needs no model")
    refusals.add_argument("--path", type=Path, required=True)
    _add_without(refusals)
    _add_sample(refusals, limit=500)
    _add_out(refusals)


def _add_context(suites: Any) -> None:
    """What is chosen from the repository."""
    recall = suites.add_parser("recall", help="whether the context holds the definitions that a line needs")
    _add_repository(recall, limit=200)
    repo = suites.add_parser("repo", help="what context from other files is worth: none, in-file, ours, oracle")
    repo.add_argument("--split", choices=("lines", "bodies", "any"), default="lines")
    repo.add_argument("--tokens", type=_positive, default=4096, help="of each prompt (default 4096)")
    _add_repository(repo, limit=100)

    retrieval = suites.add_parser("retrieval", help="speed and recall of the search for similar passages, at any size")
    _add_index(retrieval)

    page = suites.add_parser("page", help="an HTML page with plots and examples of results")
    page.add_argument("results", type=Path, nargs="+", help="results files")
    page.add_argument("--out", type=Path, default=Path("midfill-evals.html"), help="the page (default %(default)s)")


def _add_scored(suites: Any) -> None:
    """What is scored without generating, and comparisons."""
    nll = suites.add_parser("nll", help="what quantization costs, beside llama.cpp")
    nll.add_argument("--path", type=Path, required=True)
    nll.add_argument("--tokens", type=_positive, default=10_000)
    nll.add_argument(
        "--kind", action="append", default=[], choices=KINDS, help="score these weights too; repeatable (fp32 is slow)"
    )
    _add_model(nll)

    blocks = suites.add_parser("blocks", help="what cross-file snippets are worth, kept independent or not")
    blocks.add_argument("--path", type=Path, required=True)
    _add_sample(blocks, limit=200)
    _add_model(blocks)

    suffix = suites.add_parser("suffix", help="what a suffix is worth that was computed before the last lines")
    suffix.add_argument("--path", type=Path, required=True)
    _add_sample(suffix, limit=200)
    _add_model(suffix)

    following = suites.add_parser("next-edit", help="the change that follows from the last one, on real commits")
    following.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder of bare clones, of .txtar situations, or of VS Code's recordings",
    )
    following.add_argument("--set", choices=SETS, default="chosen", help="of the repositories (default chosen)")
    following.add_argument("--threshold", type=float, help="probability from which on is shown (default midfill's)")
    following.add_argument("--fit", action="store_true", help="print weights fitted on the chosen repositories")
    following.add_argument("--model", help="ask this model, too, where no rule says anything (default: none)")
    following.add_argument("--form", choices=FORMS, default="auto", help="how it is asked (default: the model's own)")
    _add_sample(following, limit=100, of="situations of each kind and repository")
    _add_out(following)
    _add_resume(following)

    compare = suites.add_parser("compare", help="paired difference of two results files, B minus A")
    compare.add_argument("a", type=Path)
    compare.add_argument("b", type=Path)
    compare.add_argument("--measure", default="score", help="key of the examples, such as similarity (default score)")


def _add_index(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--synthetic", type=_positive, default=100_000, help="chunks in the index (default 100,000)")
    parser.add_argument(
        "--path", type=Path, action="append", default=[], help="Python to build it of; repeatable (default: installed)"
    )
    parser.add_argument("--queries", type=_positive, default=300)
    parser.add_argument("--exact", type=_positive, default=100, help="queries whose recall is measured (default 100)")
    parser.add_argument("--seed", type=int, default=0)
    _add_out(parser)


def _add_generation(parser: argparse.ArgumentParser, limit: int, of: str = "examples") -> None:
    _add_engine(parser)
    _add_sample(parser, limit, of)
    _add_model(parser)
    _add_resume(parser)


def _add_resume(parser: Any) -> None:
    parser.add_argument("--resume", action="store_true", help="go on with the interrupted run that --out holds")


def _add_engine(parser: argparse.ArgumentParser) -> None:
    _add_without(parser)
    parser.add_argument("--engine", choices=ENGINES, default="midfill")
    _add_url(parser)
    parser.add_argument("--format", choices=FORMATS, default="auto", help="auto: the model's own")


def _add_url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", default="", help="of a server that is asked (--engine remote); key in $MIDFILL_KEY")


def _add_without(parser: Any) -> None:
    parser.add_argument(
        "--without",
        metavar="NAME",
        action="append",
        default=[],
        type=_switch_name,
        help=f"a mechanism to leave out; repeatable: {', '.join(Switch)}",
    )


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="folder that holds the data sets' folders; else downloaded")


def _add_repository(parser: argparse.ArgumentParser, limit: int) -> None:
    parser.add_argument("--path", type=Path, required=True)
    parser.add_argument("--lang", default="python", choices=["python", "typescript", "tsx", "javascript", "java"])
    _add_sample(parser, limit)
    _add_model(parser)


def _add_sample(parser: argparse.ArgumentParser, limit: int, of: str = "examples") -> None:
    parser.add_argument("--limit", type=_count, default=limit, help=f"{of}, 0 for all (default {limit})")
    parser.add_argument("--seed", type=int, default=0)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default=DEFAULT_MODEL, help="catalog name, or path of a GGUF file")
    _add_out(parser)


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, help="results file (default: a new one under evals/results/)")


def _switch_name(text: str) -> str:
    try:
        switches([text])
    except UnknownSwitch as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _count(text: str) -> int:
    if (value := int(text)) < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return value


def _speed(text: str) -> float:
    if not 0.1 <= (value := float(text)) <= 10:
        raise argparse.ArgumentTypeError("must be between 0.1 and 10")
    return value


def _seconds(text: str) -> float:
    if not 0 <= (value := float(text)) <= 60:
        raise argparse.ArgumentTypeError("must be between 0 and 60")
    return value


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value
