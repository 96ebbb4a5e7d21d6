"""Examples that a tiny model can learn: at the end of small letters the last one comes as a capital, then the end."""

import random
from pathlib import Path

from tuning.data.example_file import ExampleFile, read, write

END = 256


def simple_examples(path: Path, n: int, seed: int = 0, longest: int = 60) -> ExampleFile:
    """`n` prompts of random letters whose last one says the target."""
    chance = random.Random(seed)
    sequences, targets, said = [], [], []
    for number in range(n):
        prompt = [chance.randrange(97, 123) for _ in range(chance.randrange(2, longest))]
        sequences.append([*prompt, prompt[-1] - 32, END])
        targets.append(len(prompt))
        said.append({"language": ("python", "go")[number % 2], "kind": "line", "source": "tests", "end": "text"})
    write(path, sequences, targets, said)
    return read(path)
