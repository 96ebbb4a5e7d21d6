"""Answers that must begin with what is typed already: as a constraint for servers, and how sure a token then is.

Rules: pure. Log-probabilities are the model's own; of a token that had to spell what is typed the share among all that
could have is known for the likeliest only, so the rest counts as if all of it could have: never surer than it is.
"""

import math
import re
from collections.abc import Sequence


def grammar(begins_with: str) -> str:
    """A GBNF grammar (llama.cpp) of the texts that begin so."""
    escaped = "".join(c if c.isalnum() and c.isascii() else _escaped(c) for c in begins_with)
    return f'root ::= "{escaped}" [^\\x00]*'


def regex(begins_with: str) -> str:
    """A regular expression of the same texts."""
    return rf"{re.escape(begins_with)}[\s\S]*"


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02X}" if number < 0x100 else f"\\u{number:04X}" if number < 0x10000 else f"\\U{number:08X}"


def agree(says: bytes, outstanding: bytes) -> bool:
    """Whether a token goes on with what has to come."""
    n = min(len(says), len(outstanding))
    return n > 0 and says[:n] == outstanding[:n]


def spelled(outstanding: bytes, says: bytes, logprob: float, top: Sequence[tuple[bytes, float]]) -> float:
    """`Delta.spelled` of a token: the log-probability of all that could stand there, at most; 0: nothing is known."""
    if not top:
        return 0.0
    others = [(other, math.exp(value)) for other, value in top if other != says]
    own = math.exp(logprob)
    could = sum(share for other, share in others if agree(other, outstanding))
    unknown = max(0.0, 1.0 - own - sum(share for _, share in others))
    return min(0.0, math.log(max(own + could + unknown, 1e-30)))
