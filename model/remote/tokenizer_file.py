"""A tokenizer that the user has as a file, for a server that tokenizes nothing and a model that the catalog has not.

Rules: no torch, and no weights are read. What cannot be read is a sentence that names the file.
"""

import json
from pathlib import Path

from tokenizers import Tokenizer as HfTokenizer

from model.library.extras import lack
from model.library.tokenizer import UnsupportedTokenizer, VocabTokenizer, build_bpe, strip_added_tokens
from model.remote.problem import Kind, RemoteProblem

# Of GGUF's kinds of tokens, those that no text becomes: control, and what the user added.
_SPECIAL_KINDS = (3, 4)


def read_tokenizer(path: str) -> tuple[VocabTokenizer, dict[str, int]]:
    """The tokenizer of a `tokenizer.json`, of the folder that holds it, or of a .gguf, and its special tokens by name.

    RemoteProblem when it cannot be read, or is of a kind that midfill has not.
    """
    file = Path(path).expanduser()
    file = file / "tokenizer.json" if file.is_dir() else file
    try:
        tokenizer, special = _of_gguf(file) if file.suffix == ".gguf" else _of_json(file)
    except ModuleNotFoundError as error:
        raise RemoteProblem(f"engine.tokenizer: {lack('quantize', 'reading a GGUF file')}", Kind.REFUSED) from error
    except (OSError, ValueError, KeyError, TypeError, IndexError, UnsupportedTokenizer) as error:
        raise RemoteProblem(f"engine.tokenizer {file} cannot be used: {error}", Kind.REFUSED) from error
    return VocabTokenizer(tokenizer, frozenset(special.values())), special


def _of_json(file: Path) -> tuple[HfTokenizer, dict[str, int]]:
    plain, special = strip_added_tokens(json.loads(file.read_text(encoding="utf-8")))
    return HfTokenizer.from_str(json.dumps(plain)), special


def _of_gguf(file: Path) -> tuple[HfTokenizer, dict[str, int]]:
    from gguf import GGUFReader

    fields = GGUFReader(file).fields
    said = {name: fields[f"tokenizer.ggml.{name}"].contents() for name in ("model", "tokens", "token_type", "merges")}
    if said["model"] != "gpt2":
        raise UnsupportedTokenizer(f"its tokenizer is {said['model']}, which is not supported: byte-level BPE is")
    pre = fields["tokenizer.ggml.pre"].contents() if "tokenizer.ggml.pre" in fields else "gpt-2"
    kinds = enumerate(zip(said["tokens"], said["token_type"], strict=True))
    special = {name: number for number, (name, kind) in kinds if kind in _SPECIAL_KINDS}
    return build_bpe(said["tokens"], said["merges"], str(pre)), special
