"""How near a changed text comes to the one that was wanted: chrF (Popović 2015) of the changed lines alone.

Rules: pure. Lines with which both texts and the text before begin or end in common are taken off first, so that what
nobody touched is no merit. White space counts, since in code it says something.
"""

from collections import Counter
from collections.abc import Sequence

_N, _BETA = 6, 2.0


def delta_chrf(before: Sequence[str], given: Sequence[str], wanted: Sequence[str]) -> float:
    """0 to 1: chrF of the lines that the answer, or what was wanted, changed."""
    if list(given) == list(wanted):
        return 1.0
    if list(given) == list(before):
        return 0.0
    texts = (list(before), list(given), list(wanted))
    n = min(map(len, texts))
    head = next((at for at in range(n) if len({text[at] for text in texts}) > 1), n)
    tail = next((at for at in range(n - head) if len({text[-1 - at] for text in texts}) > 1), n - head)
    _, one, other = ("\n".join(text[head : len(text) - tail]) for text in texts)
    return chrf(one, other)


def chrf(given: str, wanted: str) -> float:
    """The character n-gram F-score of a text beside another, 0 to 1."""
    scores = []
    for n in range(1, _N + 1):
        one, other = _grams(given, n), _grams(wanted, n)
        if not one and not other:
            continue
        common = (one & other).total()
        precision = common / one.total() if one else 0.0
        recall = common / other.total() if other else 0.0
        both = _BETA**2 * precision + recall
        scores.append((1 + _BETA**2) * precision * recall / both if both else 0.0)
    return sum(scores) / len(scores) if scores else 0.0


def _grams(text: str, n: int) -> Counter[str]:
    return Counter(text[at : at + n] for at in range(len(text) - n + 1))
