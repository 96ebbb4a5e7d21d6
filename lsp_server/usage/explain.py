"""How an answer came about: as JSON for `midfill/why` and the file that `midfill why` reads, and in a sentence.

Rules: pure. Of snippets of other files only path, size and origin are kept, not the text; what the model wrote is kept.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from completion.types import Completion, GenerationStats, Outcome, Snippet
from lsp_server.status import summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Why a snippet of another file is offered: what it is about, and the sources that proposed it."""

    about: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where and when an answer was asked for. Line and column from 1; `at` in seconds since the epoch."""

    at: float
    uri: str
    path: str
    line: int
    column: int
    language: str
    latency_ms: float  # from the request to its answer

    def told(self) -> dict[str, Any]:
        """As every explanation tells it."""
        return {
            "at": self.at,
            "uri": self.uri,
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "language": self.language,
            "latencyMs": round(self.latency_ms, 2),
        }


def explanation(
    suggestion_id: str,
    spot: Spot,
    completion: Completion,
    origins: Mapping[Snippet, Origin],
) -> dict[str, Any]:
    """Everything that is known of an answer. A snippet of 0 tokens found no room in the prompt."""
    trace, stats = completion.trace, completion.stats or GenerationStats(n_prompt=0)
    context = [
        {
            "path": snippet.path,
            "about": origins[snippet].about if snippet in origins else "",
            "sources": list(origins[snippet].sources) if snippet in origins else [],
            "tokens": n_tokens,
        }
        for snippet, n_tokens in (zip(trace.snippets, trace.n_snippet_tokens, strict=True) if trace else ())
    ]
    return {
        "id": suggestion_id,
        **spot.told(),
        "trigger": trace.trigger.value if trace else None,
        "format": str(trace.format) if trace and trace.format else None,
        "context": context,
        **summary(completion),
        "nDrafted": stats.n_drafted,
        "nAccepted": stats.n_accepted,
        "queueMs": round(stats.queue_ms, 2),
        "raw": trace.raw if trace else "",
        "steps": [{"name": step.name, "before": step.before, "after": step.after} for step in trace.steps]
        if trace
        else [],
        "candidate": trace.candidate if trace else "",
        "covered": trace.covered if trace else "",
        "text": completion.text,
        "replaceRight": completion.replace_right,
        "tokenProbability": None if completion.mean_logprob is None else round(math.exp(completion.mean_logprob), 4),
        "probability": None if completion.probability is None else round(completion.probability, 4),
        "unknownNames": list(trace.unknown_names) if trace else [],
        "refused": trace.refused if trace else "",
        "ranked": [[text, round(score, 2)] for text, score in trace.ranked] if trace else [],
        "fate": None,
        "keptShare": None,
    }


_FATES = {
    "shown": "It is not known yet what became of it.",
    "accepted": "It was accepted.",
    "partial": "A part of it was accepted.",
    "typed": "It was typed to its end by hand.",
    "dismissed": "It was dismissed.",
}


def sentence(known: Mapping[str, Any]) -> str:
    """The outcome of an explanation, in words."""
    outcome, reason = known["outcome"], known["reason"]
    if outcome == Outcome.OK:
        n_lines = known["text"].count("\n") + 1
        size = f"{n_lines} lines" if n_lines > 1 else f"{len(known['text'])} characters"
        fate = _FATES.get(known.get("fate") or "", "The editor did not say that it showed it.")
        if known.get("acceptedInstead"):
            fate = "Another one beside it was accepted."
        kept = known.get("keptShare")
        still = "" if kept is None else f" Later, {kept:.0%} of what was accepted still stood."
        how = "what was left of an earlier suggestion" if known["reused"] else f"a suggestion of {size}"
        return f"The answer was {how}. {fate}{still}"
    words = {
        Outcome.SKIPPED: "The model was not asked",
        Outcome.EMPTY: "Nothing was suggested",
        Outcome.FILTERED: "The model wrote something, but nothing was shown",
        Outcome.QUIET: "The model was not sure enough",
        Outcome.DEADLINE: "Nothing was shown in time",
        Outcome.STALE: "The answer came too late to be of use",
        Outcome.NOT_READY: "The model was not ready",
        Outcome.ENGINE_DOWN: "The model process could not answer",
        Outcome.CANCELLED: "The request was cancelled",
    }
    return f"{words.get(outcome, 'Nothing was shown')}: {reason or 'no further reason'}."
