"""What the server says about itself: `midfill/status` for users, `midfill/document` for tests and bug reports."""

import hashlib
from typing import Any

from lsp_server.config import flatten
from lsp_server.server import Midfill
from lsp_server.status import status


async def report_status(ls: Midfill, params: Any) -> dict[str, Any]:
    """The state of the model, what it costs, and why nothing was shown."""
    client = ls.engine.client
    # First: the state is told as it is once the model process has answered, or is found to be gone.
    daemon = await client.daemon_status() if client is not None else None
    return status(
        ls.engine.state,
        ls.journal,
        flatten(ls.config),
        ls.config.enabled,
        daemon,
        ls.workspaces.states(),
        ls.stalls.summary(),
        ls.engine.machine_in_words(),
        ls.engine.host,
    )


async def report_document(ls: Midfill, params: Any) -> dict[str, Any] | None:
    """What the server takes a document for: tests and bug reports compare it with the editor's text."""
    document = ls.documents.get(str(getattr(params, "uri", "")))
    if document is None:
        return None
    digest = hashlib.sha256(document.text.encode("utf-8", "surrogatepass")).hexdigest()
    return {"version": document.version, "characters": len(document.text), "sha256": digest}
