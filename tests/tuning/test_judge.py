"""What becomes of one example, by what the network would write at each of its target's tokens."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from tuning.data.example_file import read, write
from tuning.data.packing import Pack
from tuning.judge import Verdict, judge
from tuning.network import Network, Scores

NEWLINE, BRACKET_NEWLINE, END = 10, 11, 256
PROMPT = [97, 98]
LINE, TEXT = [65, 66, NEWLINE], [65, NEWLINE, 66, END]


class Writes:
    """A network that would write `best` at the one target's tokens."""

    base = SimpleNamespace(device=torch.device("cpu"))

    def __init__(self, best: list[int]) -> None:
        self.best = best

    def score(self, pack: Pack) -> Scores:
        """Only the first example has these; what the others would write is all the same."""
        best = pack.labels.clone()
        best[pack.owners == pack.numbers.index(0)] = torch.tensor(self.best)
        return Scores(nll=torch.ones(len(best)), best=best)


def verdict(tmp_path: Path, target: list[int], best: list[int]) -> Verdict:
    said = {"language": "python", "kind": "line", "source": "s"}
    targets = [(target, "text" if target[-1] == END else "line"), ([67, BRACKET_NEWLINE], "line"), ([68, END], "text")]
    labels = [{**said, "end": end} for _, end in targets]
    write(tmp_path / "x", [PROMPT + ids for ids, _ in targets], [len(PROMPT)] * 3, labels)
    return judge(cast("Network", Writes(best)), read(tmp_path / "x"), 500)[0]


@pytest.mark.parametrize(
    ("target", "best", "exact", "early", "late"),
    [
        (LINE, [65, 66, NEWLINE], True, False, False),
        (LINE, [65, BRACKET_NEWLINE, NEWLINE], False, True, False),  # its line ends, by another token than here
        (LINE, [65, END, NEWLINE], False, True, False),
        (LINE, [65, 66, 67], False, False, False),  # other text: it cannot end too late, the line ends it
        (TEXT, [65, NEWLINE, 66, END], True, False, False),
        (TEXT, [65, NEWLINE, 66, 67], False, False, True),
        (TEXT, [65, END, 66, END], False, True, False),
        (TEXT, [BRACKET_NEWLINE, NEWLINE, 66, END], False, False, False),  # a line's end is not the text's
    ],
)
def test_an_answer_is_right_or_ends_too_early_or_too_late(
    tmp_path: Path, target: list[int], best: list[int], exact: bool, early: bool, late: bool
) -> None:
    found = verdict(tmp_path, target, best)
    assert (found.exact, found.early, found.late) == (exact, early, late)
    assert found.nll == len(target)
    assert found.end_nll == (target[-1] == END)
