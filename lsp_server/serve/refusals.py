"""What a client is told instead of an answer: a status and a sentence, as OpenAI's clients read it.

Rules: no traceback and nothing of what was sent in it. What comes right by itself has `Retry-After`.
"""

from starlette.responses import JSONResponse, Response

# Of each status, what OpenAI's clients call its kind.
_KINDS = {
    401: "authentication_error",
    404: "not_found_error",
    500: "server_error",
    501: "not_supported_error",
    503: "unavailable_error",
}


class Refused(Exception):
    """A request that gets no answer; the message is for the client. `field` is the one that is wrong."""

    def __init__(
        self, status: int, message: str, *, field: str | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.field, self.retry_after_s = status, field, retry_after_s


def bad(field: str, message: str) -> Refused:
    """A field that is wrong; the message goes on after its name."""
    return Refused(400, f"{field} {message}", field=field)


def error_body(refused: Refused) -> dict[str, object]:
    """As JSON."""
    kind = _KINDS.get(refused.status, "invalid_request_error")
    return {"error": {"message": str(refused), "type": kind, "param": refused.field, "code": refused.status}}


def error_response(refused: Refused) -> Response:
    """As a response."""
    headers = {} if refused.retry_after_s is None else {"retry-after": str(refused.retry_after_s)}
    if refused.status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(error_body(refused), refused.status, headers)
