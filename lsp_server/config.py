"""The configuration: nested frozen dataclasses, all with defaults, read from what an editor sends.

Rules: a wrong configuration never stops the server. Unknown keys and wrong types are named in one message
and their defaults used. Keys are camelCase on the wire; FIELDS is the one table that docs/configuration.md is
checked against.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from completion.types import Format, Limits, Mode, PromptSpec
from lsp_server.engine.auto import chosen
from model.library.catalog import AUTO
from model.library.machine_fit import WINDOW_TOKENS
from model.link.spawn import DEVICES, EngineSettings
from model.remote.settings import KINDS as REMOTE_KINDS
from model.remote.settings import RemoteSettings

MAX_PROMPT_TOKENS = 16_384
# Of a request: keys come some 170 ms apart, and an editor waits for some 50 of them before it sends one.
_PATIENCE_MS = 100
# Of the answers to invoked requests: they are compared behind the first, and there at the next request.
_RANK_MS = 2_000
# Of a prompt's file, for the text after the cursor, where the format has it.
_SUFFIX_SHARE = 0.25
_LEAST_TOKENS = 256  # a window of less holds nothing to go by


@dataclass(frozen=True, slots=True)
class DaemonConfig:
    """The model process."""

    idle_exit_minutes: float = 30.0
    threads: int = 0
    max_cache_mb: int = 1_024
    max_disk_mb: int = 2_048
    idle: str = "auto"


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """A server to ask instead of the model process."""

    url: str = ""
    kind: str = "auto"
    model: str = ""
    key_file: str = ""
    key_variable: str = ""
    ca_file: str = ""
    timeout_ms: int = 10_000
    fallback: bool = True
    allow_plain_http: bool = False
    tokenizer: str = ""


@dataclass(frozen=True, slots=True)
class ContextConfig:
    """What of other files a completion sees."""

    index: bool = True
    cross_file: bool = True
    pinned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NextEditConfig:
    """The change that follows from the last one."""

    enabled: bool = False
    eagerness: float = 0.4


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a user can set, as the user sets it: 0 of what has no bound, which is None everywhere else."""

    enabled: bool = True
    model: str = AUTO
    quantization: str = "auto"
    device: str = "auto"
    mode: str = "auto"
    format: str = "auto"
    max_prompt_tokens: int = 0
    max_file_tokens: int = 0
    max_line_tokens: int = 48
    max_block_tokens: int = 192
    max_wait_ms: int = 10_000
    deadline_ms: int = 1_000
    quietness: float = 0.7
    automatic: bool = True
    disabled_languages: tuple[str, ...] = ()
    completion_fallback: bool = False
    statistics: bool = True
    context: ContextConfig = field(default_factory=ContextConfig)
    next_edit: NextEditConfig = field(default_factory=NextEditConfig)
    daemon: DaemonConfig = field(default_factory=DaemonConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)

    def limits(self, window_tokens: int = WINDOW_TOKENS) -> Limits:
        """The budgets for the completion core; `window_tokens` fit this machine, where the user chose no size."""
        n_prompt = max(self.max_prompt_tokens or window_tokens, _LEAST_TOKENS)
        return Limits(
            max_prompt_tokens=n_prompt,
            max_file_tokens=max(self.max_file_tokens or n_prompt // 2, _LEAST_TOKENS),
            max_line_tokens=self.max_line_tokens,
            max_block_tokens=self.max_block_tokens,
            suffix_share=_SUFFIX_SHARE,
            max_wait_ms=self.max_wait_ms or None,
            deadline_ms=self.deadline_ms or None,
            quietness=self.quietness,
            rank_ms=_RANK_MS if self.format == "auto" else 0,  # a user who insists on a format gets that one
            patience_ms=_PATIENCE_MS,
        )

    def chosen_model(self) -> str:
        """The model's name; of `auto` that of the model which it is on this machine now."""
        return chosen(self.model, self.quantization)

    def engine_settings(self) -> EngineSettings:
        """Which daemon to use."""
        return EngineSettings(
            model=self.chosen_model(),
            quantization=self.quantization,
            device=self.device,
            idle_exit_s=60 * self.daemon.idle_exit_minutes,
            n_threads=self.daemon.threads or None,
            max_cache_mb=self.daemon.max_cache_mb,
            max_disk_mb=self.daemon.max_disk_mb,
            idle=self.daemon.idle,
        )

    def remote_settings(self) -> RemoteSettings | None:
        """Which server to ask; None: nothing leaves this machine."""
        engine = self.engine
        if not engine.url.strip():
            return None
        return RemoteSettings(
            url=engine.url,
            tokenizer_of=self.chosen_model(),
            kind=engine.kind,
            model=engine.model,
            key_file=engine.key_file,
            key_variable=engine.key_variable,
            ca_file=engine.ca_file,
            timeout_s=engine.timeout_ms / 1e3,
            allow_plain_http=engine.allow_plain_http,
            tokenizer=engine.tokenizer,
        )

    def forced_mode(self) -> Mode | None:
        """The mode every request gets, or None to decide at each."""
        return None if self.mode == "auto" else Mode(self.mode)

    def prompt_spec(self, spec: PromptSpec) -> PromptSpec:
        """The model's prompt layout, with the format the user insists on."""
        if self.format == "auto":
            return spec
        return replace(spec, line_format=Format(self.format), block_format=Format(self.format), body_format=None)


# wire key -> (what it does, allowed values or (low, high) bounds, or None)
FIELDS: dict[str, tuple[str, tuple[Any, ...] | None]] = {
    "enabled": ("Answer completion requests at all", None),
    "model": (
        "`auto` is the best of the catalog's that this machine has and is fast enough for; or a catalog name or an "
        "adapter's (`midfill model list`), or the path of a GGUF file or safetensors folder. `NAME@none` is a catalog "
        "model without what midfill taught it",
        None,
    ),
    "quantization": (
        "Bits per weight; `auto` is int4 with the native kernels, else int8; on a card bf16 where it fits, else int4",
        ("auto", "int4", "int8", "bf16"),
    ),
    "device": (
        "Where the model runs; `auto` is an NVIDIA card if one works and the model fits, else the processor",
        DEVICES,
    ),
    "mode": ("Complete a line, a block, or decide at each cursor", ("auto", "line", "block")),
    "format": ("Prompt layout; `auto` is the one measured best for the model", ("auto", "fim", "left")),
    "maxPromptTokens": (
        "Size of the context window in tokens, other files included; 0: what fits this machine (`midfill doctor`)",
        (0, MAX_PROMPT_TOKENS),
    ),
    "maxFileTokens": ("Of it, the most for the file itself; 0: half", (0, MAX_PROMPT_TOKENS)),
    "maxLineTokens": ("Longest line suggestion in tokens", (1, 512)),
    "maxBlockTokens": ("Longest block suggestion in tokens", (1, 1024)),
    "maxWaitMs": ("Longest wait for a suggestion; 0 means no bound", (0, 600_000)),
    "deadlineMs": ("What may be spent on context that is not ready, beyond the least; 0: all it takes", (0, 600_000)),
    "quietness": (
        "How probably an automatic suggestion is kept at least: it ends where it would not; 0 shows all",
        (0.0, 1.0),
    ),
    "automatic": ("Suggest while you type; else only when you press the key for a suggestion", None),
    "disabledLanguages": ("Language ids that are never completed", None),
    "completionFallback": ("Also suggest in the completion popup, for editors without inline completion", None),
    "statistics": ("Remember, on this machine only, what was shown and accepted, and how answers came about", None),
    "context.index": ("Index the workspace's files, and keep the index in step with them", None),
    "context.crossFile": ("Show other files' code to the model", None),
    "context.pinned": ("Files, as patterns below the workspace, that every completion sees first", None),
    "nextEdit.enabled": ("Answer editors that ask for the change that follows from the last one", None),
    "nextEdit.eagerness": (
        "How much of what may follow is offered: what is wanted with a probability of at least 1 less this; "
        "with 1 the model is asked, too",
        (0.0, 1.0),
    ),
    "daemon.idleExitMinutes": ("The model is unloaded after this time without requests", (0.01, 100_000.0)),
    "daemon.threads": ("Threads of the model process; 0 means all cores", (0, 1024)),
    "daemon.maxCacheMb": ("Memory for the keys and values of all documents", (64, 1_000_000)),
    "daemon.maxDiskMb": ("Disk space for the keys and values of snippets of other files", (0, 1_000_000)),
    "daemon.idle": (
        "When to compute context ahead; `auto` is not on battery, and not while other programs need the processor",
        ("auto", "always", "never"),
    ),
    "engine.url": (
        "The address of a server that answers instead of the local model: your code is then sent there. Empty: nothing "
        "leaves this machine",
        None,
    ),
    "engine.kind": ("What that server is; `auto` asks it", REMOTE_KINDS),
    "engine.model": ("The model's name there; empty: its only one", None),
    "engine.keyFile": ("A file with the server's key; a key is never a setting", None),
    "engine.keyVariable": ("The name of an environment variable with the key, where there is no file", None),
    "engine.caFile": ("Certificates (PEM) to trust instead of the system's", None),
    "engine.timeoutMs": ("How long the server may say nothing", (100, 600_000)),
    "engine.fallback": ("Ask the local model while the server is away", None),
    "engine.allowPlainHttp": ("Allow http:// to other machines: everybody on the way can read your code", None),
    "engine.tokenizer": (
        "The tokenizer.json or GGUF file of the server's model, where the server does not tokenize and midfill does "
        "not know the model",
        None,
    ),
}


# wire key of an older midfill -> what to do instead
_GONE = {
    "adapter": 'write "NAME@none" as `model` for a model as it was published',
    "suffixShare": "every format takes the share that was measured best for it",
    "rankMs": "nothing is compared any more while you type, and invoked requests take the time they need",
    "daemon.maxCacheTokens": "`daemon.maxCacheMb` bounds the memory",
    "daemon.idleOnBattery": "`daemon.idle` says when context is computed ahead",
}


def load(raw: object) -> tuple[Config, list[str]]:
    """Read what an editor sent; returns the configuration and what was wrong with it, in words."""
    if raw is None:
        return Config(), []
    if not isinstance(raw, Mapping):
        return Config(), [f"the configuration is {type(raw).__name__}, expected an object"]
    problems: list[str] = []
    return _load_into(Config(), raw, "", problems), problems


def _load_into(default: Any, raw: Mapping[str, Any], prefix: str, problems: list[str]) -> Any:
    names = {_camel(f.name): f.name for f in fields(default)}
    changes: dict[str, Any] = {}
    for key, value in raw.items():
        if (name := names.get(str(key))) is None:
            gone = _GONE.get(f"{prefix}{key!s}")
            problems.append(
                f"{prefix}{key!s} is no setting any more: {gone}" if gone else f"unknown key {prefix}{key!s}"
            )
            continue
        current = getattr(default, name)
        if is_dataclass(current):
            if isinstance(value, Mapping):
                changes[name] = _load_into(current, value, f"{key}.", problems)
            else:
                problems.append(f"{prefix}{key} must be an object")
        elif value is not None:
            problem, converted = _convert(f"{prefix}{key}", value, current)
            if problem:
                problems.append(problem)
            else:
                changes[name] = converted
    return replace(default, **changes)


def _convert(key: str, value: Any, current: Any) -> tuple[str, Any]:
    """(problem, "") or ("", the value as the field's own type)."""
    allowed = FIELDS[key][1]
    if isinstance(current, tuple):
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return "", tuple(value)
        return f"{key} must be a list of strings", None
    if isinstance(current, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(current):
        return f"{key} must be {_words(type(current))}, not {value!r}", None
    if isinstance(current, str) and allowed and value not in allowed:
        return f"{key} must be one of {', '.join(allowed)}, not {value!r}", None
    if not isinstance(current, str | bool) and allowed and not allowed[0] <= value <= allowed[1]:
        return f"{key} must lie between {allowed[0]} and {allowed[1]}, not {value!r}", None
    return "", value


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _words(kind: type) -> str:
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}[kind]


def flatten(config: Any) -> dict[str, Any]:
    """Wire key -> value: for `midfill/status`, and of `Config()` for the documentation and its check."""
    flat: dict[str, Any] = {}
    for f in fields(config):
        key, value = _camel(f.name), getattr(config, f.name)
        flat |= (
            {f"{key}.{name}": inner for name, inner in flatten(value).items()} if is_dataclass(value) else {key: value}
        )
    return {key: list(value) if isinstance(value, tuple) else value for key, value in flat.items()}


def defaults() -> dict[str, Any]:
    """Wire key -> default value."""
    return flatten(Config())
