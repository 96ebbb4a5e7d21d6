"""The loop of the evals' worker processes: one JSON object per line in, one per line out.

{"op": name, ...} is answered by the result of the operation, or by {"error": text}.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, TextIO

Operations = Mapping[str, Callable[..., dict[str, Any]]]


def serve(operations: Operations, refusal: type[Exception], lines: TextIO, out: TextIO) -> None:
    """Answer every line with one line until the input ends; a `refusal` is an answer, any other exception a bug."""
    for line in lines:
        message = json.loads(line)
        try:
            reply = operations[message.pop("op")](**message)
        except refusal as error:
            reply = {"error": str(error)}
        out.write(json.dumps(reply) + "\n")
        out.flush()
