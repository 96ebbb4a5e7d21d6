"""The fields of a request's JSON, each checked as it is read; what is wrong is a sentence that names it.

Rules: pure. A field that is null is as good as left out. A truth value is no number. Fields that nobody asks for are
let be, as by other servers: clients send what only some know.
"""

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from lsp_server.serve.refusals import Refused, bad

# What only chooses among answers that the model might give: greedy decoding gives the most probable one. These are left
# out of account, and the answer says so in a header.
_CHOOSING = {
    "temperature": 0, "top_p": 1, "top_k": None, "min_p": 0, "typical_p": 1, "seed": None, "samplers": None,
    "dynatemp_range": 0, "mirostat": 0, "xtc_probability": 0,
}  # fmt: skip
# What would make another answer the right one. Nothing is as if it had been heeded: these are refused.
_DECIDING = {
    "presence_penalty": 0, "frequency_penalty": 0, "repetition_penalty": 1, "repeat_penalty": 1, "dry_multiplier": 0,
    "logit_bias": None, "grammar": None, "json_schema": None, "response_format": None, "guided_json": None,
    "guided_regex": None, "guided_grammar": None, "guided_choice": None, "regex": None, "echo": False,
    "min_tokens": 0, "prompt_logprobs": None, "lora": None,
}  # fmt: skip
# A regular expression of a text and of whatever follows it.
_BEGINS = re.compile(r"((?:\\[^A-Za-z0-9]|[^\\.^$*+?{}\[\]|()])*)\[\\s\\S\]\*", re.DOTALL)


class Fields:
    """A JSON object of a request."""

    def __init__(self, data: bytes) -> None:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise Refused(400, "the body is no JSON") from error
        if not isinstance(found, dict):
            raise Refused(400, "the body is no JSON object")
        self._found: dict[str, Any] = {name: value for name, value in found.items() if value is not None}

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def get(self, name: str) -> Any:
        """As it came; None where there is none."""
        return self._found.get(name)

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        value = self._found.get(name, default)
        if not isinstance(value, str):
            raise bad(name, "is no string")
        return value

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number between two."""
        value = self._found.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise bad(name, f"is no whole number from {low} to {high}")
        return value

    def milliseconds(self, name: str) -> float | None:
        """A time; None where there is none, and for what is not above 0, which other servers take for no limit."""
        value = self._found.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise bad(name, "is no number of milliseconds")
        return float(value) if value > 0 else None

    def flag(self, name: str) -> bool:
        """True or false; false where there is none."""
        value = self._found.get(name, False)
        if not isinstance(value, bool):
            raise bad(name, "is neither true nor false")
        return value

    def texts(self, name: str, most: int) -> tuple[str, ...]:
        """A string, or a list of at most so many; empty ones are left out."""
        value = self._found.get(name, [])
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise bad(name, "is no string and no list of strings")
        if len(texts) > most:
            raise bad(name, f"has more than {most} strings")
        return tuple(text for text in texts if text)

    def begins_with(self) -> str:
        """What an answer has to begin with, by vLLM's field for constraints; "" for nothing, Refused for any other."""
        value = self._found.get("structured_outputs") or {"regex": r"[\s\S]*"}
        pattern = value.get("regex") if isinstance(value, dict) and set(value) == {"regex"} else None
        found = _BEGINS.fullmatch(pattern) if isinstance(pattern, str) else None
        if found is None:
            raise bad("structured_outputs", r"is not supported but as a regex of a text and [\s\S]* (docs/serve.md)")
        return re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL)

    def unheeded(self) -> tuple[str, ...]:
        """The fields that choose among answers, and do not here; Refused for one that this engine cannot heed."""
        for name, harmless in _DECIDING.items():
            value = self._found.get(name, harmless)
            if value != harmless and value not in ([], {}, ""):
                raise bad(name, "is not supported: midfill decodes greedily and heeds nothing else (docs/serve.md)")
        return tuple(
            name for name, harmless in _CHOOSING.items() if self._found.get(name, harmless) not in (harmless, [])
        )


def token_ids(name: str, value: object, n_vocabulary: int) -> Sequence[int]:
    """A list of token ids."""
    if not isinstance(value, list) or not all(type(one) is int for one in value):
        raise bad(name, "is no list of token ids")
    if any(not 0 <= one < n_vocabulary for one in value):
        raise bad(name, f"has a token id that is not from 0 to {n_vocabulary - 1}")
    return value
