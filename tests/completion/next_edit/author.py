"""A stand-in for an engine that knows how lines should read. Used by the tests of layer two and of the server's."""

from collections.abc import AsyncIterator, Mapping, Sequence

from completion.types import Delta, Priority, Prompt


class Author:
    """An engine that would write some lines otherwise: the old text is likely but where it parts from that.

    It reads the region in the prompt, between the last `original:` and `updated:`. A prompt without another such pair
    tells of no edit: all is as likely then, unless it would always write so (`follows_edits`). `end` is what it says
    behind the region. All its answers are the same.
    """

    def __init__(self, changes: Mapping[str, Sequence[str]], end: str = "", *, follows_edits: bool = True) -> None:
        self.changes, self.end, self.follows_edits = changes, end, follows_edits
        self.asked: list[Prompt] = []
        self.priorities: set[Priority] = set()
        self.n_said = 0
        self.n_open = 0

    async def generate(
        self, prompt: Prompt, *, session: str, priority: Priority = Priority.INTERACTIVE
    ) -> AsyncIterator[Delta]:
        self.asked.append(prompt)
        self.priorities.add(priority)
        self.n_open += 1
        try:
            said = bytes(token for token in prompt.token_ids if token < 256)
            _, *pairs = said.decode().split("original:\n")
            region, begun = pairs[-1].split("updated:\n")
            new = [line for old in region.splitlines() for line in self.changes.get(old, (old,))]
            rest = "".join([*(f"{line}\n" for line in new), self.end]).removeprefix(begun).encode()
            target = bytes(prompt.target)
            if target and len(pairs) == 1 and self.follows_edits:
                yield Delta(token_ids=prompt.target, logprobs=(-0.5,) * len(target))
            elif target:
                parts = next((n for n in range(len(target)) if target[n : n + 1] != rest[n : n + 1]), len(target))
                values = tuple(-3.0 if n == parts else -0.01 for n in range(len(target)))
                yield Delta(token_ids=prompt.target, logprobs=values)
            for byte in b"" if target else rest[: prompt.max_tokens]:
                self.n_said += 1
                for candidate in range(prompt.n_candidates):
                    yield Delta(token_ids=(byte,), logprobs=(-0.02,), candidate=candidate)
        finally:
            self.n_open -= 1
