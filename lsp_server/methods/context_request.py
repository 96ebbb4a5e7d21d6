"""The request `midfill/context`: the prompt window that a completion at a place would see, of the text as it is now.

`midfill context` shows the same for a file on disk, and the index's whole ranking.

Rules: the model is not asked. What is shown is what a completion would be sent: a first look at a document chooses
its snippets, a later one does not choose anew. Custom methods arrive as nested named tuples.
"""

import asyncio
from typing import Any

from lsprotocol import types as t

from completion.pipeline import prompt_for
from completion.trigger import Decision, decide
from completion.types import CompletionRequest, Prompt, Trigger
from lsp_server.server import Midfill


async def context(ls: Midfill, params: Any) -> dict[str, Any]:
    """{textDocument: {uri}, position}."""
    uri = str(getattr(getattr(params, "textDocument", None), "uri", ""))
    position = getattr(params, "position", None)
    line, character = getattr(position, "line", None), getattr(position, "character", None)
    if not isinstance(line, int) or not isinstance(character, int):
        return _nothing("no position was given")
    return await _window(ls, uri, t.Position(max(line, 0), max(character, 0)))


async def _window(ls: Midfill, uri: str, position: t.Position) -> dict[str, Any]:
    document, deps = ls.documents.get(uri), ls.engine.deps()
    if document is None:
        return _nothing("the document is not open, or of a kind that is not completed")
    if deps is None:
        return _nothing(f"nothing is known before a model is loaded: {ls.engine.state.message}")
    above, below = ls.documents.around(document)
    cursor = len(above) + document.offset(position, ls.encoding)
    line, column = document.locate(position, ls.encoding)
    snapshot = await ls.snapshots.of(ls.documents.whole(document), above + document.text + below)
    private = await ls.privacy.of(snapshot.uri, snapshot.text)
    snippets = () if private else await ls.epochs.snippets(snapshot, cursor)
    ls.epochs.look_again(snapshot.uri)
    request = ls.request(snapshot, cursor, snippets, Trigger.AUTOMATIC)
    decision = await asyncio.to_thread(decide, request)  # asks the syntax tree
    prompt = await prompt_for(deps, request, decision.mode)
    return {
        "message": "",
        "path": snapshot.path,
        "line": line + 1,
        "column": column + 1,
        "language": snapshot.language,
        "maxTokens": deps.limits.max_prompt_tokens,
        **_of_prompt(ls, request, decision, prompt),
        **({"skip": private} if private else {}),
    }


def _of_prompt(ls: Midfill, request: CompletionRequest, decision: Decision, prompt: Prompt) -> dict[str, Any]:
    """How it would be asked, and what is in the prompt. A snippet of 0 tokens found no room."""
    origins = ls.epochs.origins(request.snapshot.uri)
    snippets = [
        {
            "path": snippet.path,
            "about": origins[snippet].about if snippet in origins else "",
            "sources": list(origins[snippet].sources) if snippet in origins else [],
            "tokens": n_tokens,
            "text": snippet.text,
        }
        for snippet, n_tokens in zip(request.snippets, prompt.n_snippet_tokens, strict=True)
    ]
    return {
        "mode": str(decision.mode),
        "format": str(prompt.format),
        "skip": decision.skip,
        "nPrompt": len(prompt.token_ids),
        "nFile": len(prompt.token_ids) - sum(prompt.n_snippet_tokens),
        "snippets": snippets,
    }


def _nothing(message: str) -> dict[str, Any]:
    return {"message": message, "snippets": []}
