"""A LoRA adapter as PEFT saves it: read, checked, and kept in the cache under a name.

    <cache>/adapters/<name>/    adapter_config.json, adapter_model.safetensors: copies of the user's files
        added.json              the base it is merged into, and the sha256 of both files (written last)

LoRA (Hu et al. 2021): a linear layer's weight W becomes W + s * B @ A, with A (rank, in), B (out, rank) and
s = alpha / rank, or alpha / sqrt(rank) for rsLoRA (Kalajdzievski 2023). `merge` does it; here is no torch.

Beyond PEFT: A and B may be int8, with a scale for each row beside them (`tuning.adapter_file` writes that).

Rules: what is not plain LoRA on the linear layers is refused by the name of what it is, never ignored: an
adapter merged in part would be wrong and look right. Tensors are read from safetensors alone, never from a pickle.
"""

import hashlib
import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from model.library.catalog import (
    ADDED,
    CATALOG,
    SHIPPED,
    STOCK,
    AddedAdapter,
    ModelError,
    ModelRow,
    ModelSource,
    read_added,
    resolve,
)
from model.library.paths import adapters_dir, bytes_below

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"
HEAD = "base_model.model.lm_head.base_layer.weight"
NAME = re.compile(r"(?!.*-int[48]-)[a-z0-9][a-z0-9.-]{0,31}")
# The linear layers of the family: Hugging Face's name in a layer -> the store's.
PARTS = {
    "self_attn.q_proj": "q",
    "self_attn.k_proj": "k",
    "self_attn.v_proj": "v",
    "self_attn.o_proj": "o",
    "mlp.gate_proj": "gate",
    "mlp.up_proj": "up",
    "mlp.down_proj": "down",
}
# Switches that change nothing, or that `Adapter` takes into account.
_HARMLESS = {
    "inference_mode",
    "init_lora_weights",
    "use_rslora",
    "rank_pattern",
    "alpha_pattern",
    "target_modules",
    "exclude_modules",
    "layers_to_transform",
    "layers_pattern",
    "auto_mapping",
    "eva_config",
    "runtime_config",
    "ensure_weight_tying",
}
# Other initializations (PiSSA, OLoRA, CorDA, LoftQ, ...) train against a base that they have changed first.
_PLAIN_STARTS = (True, False, "gaussian", "eva")


class AdapterError(ModelError):
    """The adapter cannot be used; the message names the cause and the remedy, for users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A checked LoRA adapter.

    `targets`: the store's name of a matrix -> Hugging Face's; `shapes`: -> (out, rank, in). With `has_head` the file
    holds the base's own head as well (PEFT adds it when it adapts the head), which then takes the base's place.
    """

    folder: Path
    base: str  # as PEFT recorded it: a hub name or a path on the machine that trained it
    sha256: str
    targets: dict[str, str]
    shapes: dict[str, tuple[int, int, int]]
    alpha: float
    alpha_pattern: dict[str, float]
    use_rslora: bool
    has_head: bool

    def scale(self, target: str) -> float:
        """What B @ A of a target is multiplied by."""
        rank = self.shapes[target][1]
        alpha = float(_by_pattern(self.alpha_pattern, self.targets[target], self.alpha))
        return alpha / (rank**0.5 if self.use_rslora else rank)


def open_adapter(folder: Path) -> Adapter:
    """Read and check an adapter folder; AdapterError when it is none, is damaged, or is more than LoRA."""
    config = _read_config(folder)
    if (unsupported := _unsupported(config)) is not None:
        raise AdapterError(f"{folder} is not plain LoRA: {unsupported} is not supported. Merge it with PEFT "
                           "(merge_and_unload, save_pretrained) and give midfill the merged folder")  # fmt: skip
    shapes = _shapes(folder)
    pairs = _pairs(folder, shapes)
    targets = {_store_name(module, folder): module for module in pairs}
    if HEAD in shapes and ("lm_head" not in pairs or shapes[HEAD] != [pairs["lm_head"][1][0], pairs["lm_head"][0][1]]):
        raise AdapterError(f"{folder} holds a head ({HEAD}, {tuple(shapes[HEAD])}) that its A and B do not fit")
    return Adapter(
        folder=folder,
        base=str(config.get("base_model_name_or_path") or ""),
        sha256=_hash(folder),
        targets=targets,
        shapes={name: _checked_shape(folder, module, pairs[module], config) for name, module in targets.items()},
        alpha=float(config.get("lora_alpha", 8)),
        alpha_pattern=config.get("alpha_pattern") or {},
        use_rslora=bool(config.get("use_rslora")),
        has_head=HEAD in shapes,
    )


def _read_config(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise AdapterError(f"there is no adapter folder at {folder}")
    if not (folder / CONFIG).is_file():
        raise AdapterError(f"{folder} is not an adapter folder: it has no {CONFIG} (PEFT's save_pretrained writes it)")
    if not (folder / TENSORS).is_file():
        pickled = (folder / "adapter_model.bin").is_file()
        why = " (adapter_model.bin is a pickle, which can run code: save it anew with safe_serialization)"
        raise AdapterError(f"{folder} has no {TENSORS}{why if pickled else ''}")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AdapterError(f"{folder / CONFIG} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise AdapterError(f"{folder / CONFIG} is not an object")
    if (kind := str(config.get("peft_type"))) != "LORA":
        raise AdapterError(f"{folder} is an adapter of the kind {kind}: only LORA is supported")
    return config


def _unsupported(config: dict[str, Any]) -> str | None:
    """The name of the first thing beyond LoRA that the configuration asks for."""
    if config.get("bias", "none") != "none":
        return f"bias={config['bias']!r}"
    if (start := config.get("init_lora_weights", True)) not in _PLAIN_STARTS:
        return f"init_lora_weights={start!r} (it changes the base, too)"
    for key, value in config.items():
        # A switch that is on, or a table that is not empty; numbers and words only refine those.
        if key not in _HARMLESS and (value is True or (isinstance(value, list | dict) and value)):
            return key
    return None


def _shapes(folder: Path) -> dict[str, list[int]]:
    """Name -> shape of every tensor in the file but the scales of int8 ones, which fit them."""
    try:
        with safe_open(folder / TENSORS, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise AdapterError(f"{folder / TENSORS} is not a readable safetensors file: {error}") from error
    shapes: dict[str, list[int]] = {name: part.get_shape() for name, part in slices.items()}
    for name in [name for name, part in slices.items() if part.get_dtype() == "I8"]:
        if (scale := shapes.pop(scale_name(name), None)) != shapes[name][:1]:
            raise AdapterError(f"{folder} holds {name} in int8, {shapes[name]}, and for its rows the scales {scale}")
    return shapes


def scale_name(weight: str) -> str:
    """The tensor of an int8 matrix's scales, one for each of its rows."""
    return f"{weight.removesuffix('.weight')}.scale"


def _pairs(folder: Path, shapes: dict[str, list[int]]) -> dict[str, tuple[list[int], list[int]]]:
    """Module -> shapes of its A and B. Whatever is not half of a pair is refused by name."""
    halves: dict[str, dict[str, list[int]]] = {}
    for name, shape in shapes.items():
        if name == HEAD:
            continue
        if (match := re.fullmatch(r"base_model\.model\.(.+)\.lora_([AB])\.weight", name)) is None or len(shape) != 2:
            raise AdapterError(f"{folder} holds the tensor {name}, which is not LoRA's A or B of a linear layer: "
                               "not supported")  # fmt: skip
        halves.setdefault(match[1], {})[match[2]] = shape
    if not halves:
        raise AdapterError(f"{folder / TENSORS} holds no tensors")
    if incomplete := [module for module, half in halves.items() if len(half) != 2]:
        raise AdapterError(f"{folder / TENSORS} is incomplete: {incomplete[0]} lacks its A or B")
    return {module: (half["A"], half["B"]) for module, half in halves.items()}


def _store_name(module: str, folder: Path) -> str:
    if module == "lm_head":
        return "head"
    match = re.fullmatch(r"model\.layers\.(\d+)\.(.+)", module)
    if match is None or match[2] not in PARTS:
        raise AdapterError(f"{folder} adapts {module}, which is not a linear layer of a Llama or Qwen2 model")
    return f"layers.{int(match[1])}.{PARTS[match[2]]}"


def _checked_shape(
    folder: Path, module: str, pair: tuple[list[int], list[int]], config: dict[str, Any]
) -> tuple[int, int, int]:
    """(out, rank, in); AdapterError when A and B do not fit each other or the configuration."""
    (rank, width), (out, rank_b) = pair
    said = _by_pattern(config.get("rank_pattern") or {}, module, config.get("r"))
    if rank != rank_b or rank != said:
        raise AdapterError(f"{folder}: {module} has A {rank, width} and B {out, rank_b}, but {CONFIG} says rank {said}")
    return out, rank, width


def _by_pattern(pattern: dict[str, Any], module: str, default: Any) -> Any:
    """PEFT's rule (`get_pattern_key`): the first key that matches the module's name or the end of it."""
    return next((value for key, value in pattern.items() if re.match(rf"(.*\.)?({key})$", module)), default)


def _hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in (CONFIG, TENSORS):
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


# -- adapters with names -----------------------------------------------------------------------------------


def find_base(adapter: Adapter, wanted: str | None, *, force: bool = False) -> ModelSource:
    """The model that an adapter is merged into: the one it was trained on, or `wanted`.

    One that was trained on a published model is merged into that one as it was published; one by `midfill tune`, which
    records the catalog's name, into what it learned on. AdapterError when there is none, or when a catalog model is
    named that the adapter was not trained on.
    """
    trained_on = _row_named(adapter.base)
    if wanted is None:
        if trained_on is not None:
            return _learned_on(adapter, trained_on)
        try:
            source = resolve(adapter.base)
        except ModelError:
            raise AdapterError(
                f"the adapter was trained on {adapter.base or 'a model that it does not name'}, which is neither in "
                "the catalog nor a folder here: give its folder or GGUF file with --model"
            ) from None
    else:
        source = resolve(wanted)
    if source.adapter is not None:
        raise AdapterError(
            f"{wanted} is an adapter itself: merge into {source.row.name if source.row else source.path}"
        )
    if source.row is not None and source.row != trained_on and not force:
        raise AdapterError(
            f"the adapter was trained on {adapter.base or 'a model that it does not name'}, not on {source.row.title}: "
            "give the folder of that model with --model, or --force to merge it all the same"
        )
    return source if source.row is None else _learned_on(adapter, source.row)


def _learned_on(adapter: Adapter, row: ModelRow) -> ModelSource:
    shipped = f"{row.name}{SHIPPED}"
    return resolve(shipped if adapter.base == shipped else f"{row.name}{STOCK}")


def _row_named(base: str) -> ModelRow | None:
    """The catalog's row of its own name, of a hub name or of a folder called like the model."""
    last = base.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].lower()
    published = {row.source_repo.split("/")[1].removesuffix("-GGUF").lower(): row for row in CATALOG}
    named = {f"{row.name}{which}": row for row in CATALOG for which in (SHIPPED, STOCK)}
    return named.get(base) or published.get(last)


def default_name(adapter: Adapter, base: ModelSource) -> str:
    """A name for an adapter that was given none."""
    folder = re.sub(r"[^a-z0-9.]+", "-", adapter.folder.resolve().name.lower()).strip("-.") or "adapter"
    head = base.row.name if base.row else "model"
    return f"{head[:20]}-{folder}"[:32].strip("-.")


def add(adapter: Adapter, base: ModelSource, name: str) -> ModelSource:
    """Copy an adapter into the cache under a name, for `resolve` to find; AdapterError when the name is taken."""
    if NAME.fullmatch(name) is None:
        raise AdapterError(f"{name!r} is no name for a model: small letters, digits, '.' and '-', at most 32")
    if any(name == row.name for row in CATALOG):
        raise AdapterError(f"{name} is the name of a catalog model: give another one with --name")
    known = read_added(name)
    base_name = f"{base.row.name}{SHIPPED if base.shipped else STOCK}" if base.row else str(base.path)
    if known is not None:
        if known.sha256 != adapter.sha256 or known.base != base_name:
            raise AdapterError(f"{name} is another adapter already: `midfill model rm {name}` first, or give a --name")
        return resolve(name)
    folder = adapters_dir() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=folder.parent))
    try:
        for file in (CONFIG, TENSORS):
            shutil.copyfile(adapter.folder / file, partial / file)
        (partial / ADDED).write_text(json.dumps({"base": base_name, "sha256": adapter.sha256}), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # what is there is no adapter: `read_added` said so
        partial.rename(folder)
    except OSError as error:
        raise AdapterError(f"{name} cannot be kept in {folder.parent}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return resolve(name)


def added() -> list[AddedAdapter]:
    """All adapters that were added, by name."""
    names = sorted(path.parent.name for path in adapters_dir().glob(f"*/{ADDED}"))
    return [adapter for name in names if (adapter := read_added(name)) is not None]


def remove(adapter: AddedAdapter) -> int:
    """Delete an added adapter's copy; the bytes freed."""
    freed = bytes_below(adapter.folder)
    try:
        shutil.rmtree(adapter.folder)
    except OSError as error:
        raise AdapterError(f"{adapter.folder} cannot be deleted: {error.strerror}") from error
    return freed
