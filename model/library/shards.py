"""Which files a model given by path is made of: a GGUF may be split into `name-00001-of-00003.gguf` and so on.

Rules: names alone; nothing is read. Whichever part is named, all of them are meant, and the first stands for them.
"""

import re
from pathlib import Path

SAFETENSORS = "*.safetensors"
# As llama.cpp's gguf-split and the `gguf` library name them.
_SHARD = re.compile(r"(?P<name>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")


def files_of(path: Path) -> list[Path]:
    """A GGUF file's parts in order, itself alone when it is not split; a folder's safetensors. They may be missing."""
    if path.is_dir():
        return sorted(path.glob(SAFETENSORS))
    shard = _SHARD.fullmatch(path.name)
    if shard is None or not 1 <= int(shard["number"]) <= int(shard["count"]):
        return [path]
    count = int(shard["count"])
    return [path.with_name(f"{shard['name']}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)]
