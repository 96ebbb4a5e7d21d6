"""A stand-in for an engine that knows how a region should read. Used by the tests of layer two and of the server's."""

from collections.abc import AsyncIterator, Sequence

from completion.types import Delta, Priority, Prompt


class Author:
    """An engine that would write `wanted` for the region: the old text is likely but where it parts from that."""

    def __init__(self, wanted: Sequence[str]) -> None:
        self.wanted = "".join(f"{line}\n" for line in wanted).encode()
        self.asked: list[Prompt] = []
        self.priorities: set[Priority] = set()
        self.n_said = 0
        self.n_open = 0

    def _begun(self, prompt: Prompt) -> int:
        """How much of the wanted text a prompt ends with."""
        said = bytes(token for token in prompt.token_ids if token < 256)
        fits = [n for n in range(len(self.wanted) + 1) if said.endswith(b"updated:\n" + self.wanted[:n])]
        return fits[-1]

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        self.asked.append(prompt)
        self.priorities.add(priority)
        self.n_open += 1
        try:
            rest = self.wanted[self._begun(prompt) :]
            if prompt.target and bytes(t for t in prompt.token_ids if t < 256).count(b"updated:\n") == 1:
                yield Delta(token_ids=prompt.target, logprobs=(-0.5,) * len(prompt.target))  # not told of any edit
                return
            if prompt.target:
                target = bytes(prompt.target)
                parts = next((n for n in range(len(target)) if target[n : n + 1] != rest[n : n + 1]), len(target))
                values = tuple(-3.0 if n == parts else -0.01 for n in range(len(target)))
                yield Delta(token_ids=prompt.target, logprobs=values)
                return
            for byte in rest[: prompt.max_tokens]:
                self.n_said += 1
                yield Delta(token_ids=(byte,), logprobs=(-0.02,))
        finally:
            self.n_open -= 1
