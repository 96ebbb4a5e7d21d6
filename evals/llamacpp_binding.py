"""The few functions of llama.cpp's C API that the peer needs, by ctypes. Used by `evals.llamacpp_worker`.

The `xllamacpp` wheel is a prebuilt llama.cpp behind a Python class; its extension module exports the C API
as ordinary dynamic symbols, and only there can one ask for logits, log-probabilities and exact timings.

Rules: structs always come from the library's own default functions, and only fields named here are set. A
layout belongs to one version of the wheel: any other is refused, and known default values are checked, so
that a shifted field is an error and never a slow or wrong peer. No torch: two OpenMP runtimes in one
process would fight over the cores.
"""

import ctypes
import importlib.util
from collections.abc import Mapping
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int8, c_int32, c_size_t, c_uint32, c_void_p
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ClassVar

# The layouts below were written from this wheel's llama.h.
XLLAMACPP_VERSION = "2026.10.11549"


class PeerUnavailable(Exception):
    """llama.cpp cannot be used here; the message names the cause and the remedy, for users."""


class ModelParams(ctypes.Structure):
    """`struct llama_model_params`."""

    _fields_: ClassVar = [
        ("devices", c_void_p),
        ("tensor_buft_overrides", c_void_p),
        ("n_gpu_layers", c_int32),
        ("split_mode", c_int32),
        ("load_mode", c_int32),
        ("lazy_mode", c_int32),
        ("main_gpu", c_int32),
        ("tensor_split", c_void_p),
        ("progress_callback", c_void_p),
        ("progress_callback_user_data", c_void_p),
        ("kv_overrides", c_void_p),
        ("vocab_only", c_bool),
        ("check_tensors", c_bool),
        ("use_extra_bufts", c_bool),
        ("no_host", c_bool),
        ("no_alloc", c_bool),
        ("load_mtp", c_bool),
    ]


class ContextParams(ctypes.Structure):
    """`struct llama_context_params`."""

    _fields_: ClassVar = [
        ("n_ctx", c_uint32),
        ("n_batch", c_uint32),
        ("n_ubatch", c_uint32),
        ("n_seq_max", c_uint32),
        ("n_rs_seq", c_uint32),
        ("n_outputs_max", c_uint32),
        ("n_outputs_max_per_seq", c_uint32),
        ("n_threads", c_int32),
        ("n_threads_batch", c_int32),
        ("ctx_type", c_int32),
        ("rope_scaling_type", c_int32),
        ("pooling_type", c_int32),
        ("attention_type", c_int32),
        ("flash_attn_type", c_int32),
        ("rope_freq_base", c_float),
        ("rope_freq_scale", c_float),
        ("yarn_ext_factor", c_float),
        ("yarn_attn_factor", c_float),
        ("yarn_beta_fast", c_float),
        ("yarn_beta_slow", c_float),
        ("yarn_orig_ctx", c_uint32),
        ("defrag_thold", c_float),
        ("cb_eval", c_void_p),
        ("cb_eval_user_data", c_void_p),
        ("type_k", c_int32),
        ("type_v", c_int32),
        ("moe_cache_size", c_size_t),
        ("abort_callback", c_void_p),
        ("abort_callback_data", c_void_p),
        ("embeddings", c_bool),
        ("offload_kqv", c_bool),
        ("no_perf", c_bool),
        ("op_offload", c_bool),
        ("swa_full", c_bool),
        ("kv_unified", c_bool),
        ("samplers", c_void_p),
        ("n_samplers", c_size_t),
        ("ctx_other", c_void_p),
    ]


class Batch(ctypes.Structure):
    """`struct llama_batch`: NULL positions continue the sequence, NULL sequence ids mean sequence 0."""

    _fields_: ClassVar = [
        ("n_tokens", c_int32),
        ("token", POINTER(c_int32)),
        ("embd", POINTER(c_float)),
        ("pos", POINTER(c_int32)),
        ("n_seq_id", POINTER(c_int32)),
        ("seq_id", POINTER(POINTER(c_int32))),
        ("logits", POINTER(c_int8)),
    ]


# Defaults that llama.h's own implementation sets; a shifted layout would not show all of them.
_KNOWN_CONTEXT_DEFAULTS = {
    "n_batch": 2048,
    "n_ubatch": 512,
    "n_seq_max": 1,
    "flash_attn_type": -1,  # auto
    "rope_scaling_type": -1,
    "type_k": 1,  # GGML_TYPE_F16
    "type_v": 1,
    "embeddings": False,
    "offload_kqv": True,
    "no_perf": True,
    "samplers": None,
    "n_samplers": 0,
    "ctx_other": None,
}
_KNOWN_MODEL_DEFAULTS = {"vocab_only": False, "use_extra_bufts": True, "main_gpu": 0, "kv_overrides": None}

_SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "llama_backend_init": (None, []),
    "llama_log_set": (None, [c_void_p, c_void_p]),
    "llama_model_default_params": (ModelParams, []),
    "llama_context_default_params": (ContextParams, []),
    "llama_model_load_from_file": (c_void_p, [c_char_p, ModelParams]),
    "llama_init_from_model": (c_void_p, [c_void_p, ContextParams]),
    "llama_free": (None, [c_void_p]),
    "llama_model_free": (None, [c_void_p]),
    "llama_get_memory": (c_void_p, [c_void_p]),
    "llama_memory_seq_rm": (c_bool, [c_void_p, c_int32, c_int32, c_int32]),
    "llama_memory_clear": (None, [c_void_p, c_bool]),
    "llama_model_get_vocab": (c_void_p, [c_void_p]),
    "llama_vocab_n_tokens": (c_int32, [c_void_p]),
    "llama_tokenize": (
        c_int32,
        [c_void_p, c_char_p, c_int32, POINTER(c_int32), c_int32, c_bool, c_bool],
    ),
    "llama_token_to_piece": (c_int32, [c_void_p, c_int32, c_char_p, c_int32, c_int32, c_bool]),
    "llama_decode": (c_int32, [c_void_p, Batch]),
    "llama_get_logits_ith": (POINTER(c_float), [c_void_p, c_int32]),
    "llama_synchronize": (None, [c_void_p]),
}

_LOG_CALLBACK = ctypes.CFUNCTYPE(None, c_int32, c_char_p, c_void_p)
_silence = _LOG_CALLBACK(lambda level, text, data: None)  # kept alive: the library holds the pointer


def open_library() -> ctypes.CDLL:
    """The library with typed functions, initialized and silent; PeerUnavailable when it cannot be had."""
    library = ctypes.CDLL(str(_library_path()))
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    _check("llama_context_params", library.llama_context_default_params(), _KNOWN_CONTEXT_DEFAULTS)
    _check("llama_model_params", library.llama_model_default_params(), _KNOWN_MODEL_DEFAULTS)
    library.llama_log_set(_silence, None)
    library.llama_backend_init()
    return library


def _library_path() -> Path:
    """The wheel's extension module; PeerUnavailable for a missing or another version."""
    remedy = f"pip install xllamacpp=={XLLAMACPP_VERSION}"
    try:
        installed = version("xllamacpp")
    except PackageNotFoundError as error:
        raise PeerUnavailable(f"llama.cpp is not installed; {remedy}") from error
    if installed != XLLAMACPP_VERSION:
        raise PeerUnavailable(f"the peer was written for another xllamacpp than {installed}; {remedy}")
    spec = importlib.util.find_spec("xllamacpp")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob("xllamacpp*.so")):
            return path
    raise PeerUnavailable(f"the xllamacpp package holds no extension module; {remedy}")


def _check(name: str, params: ctypes.Structure, known: Mapping[str, object]) -> None:
    for field, expected in known.items():
        if (found := getattr(params, field)) != expected:
            raise PeerUnavailable(f"{name}.{field} is {found!r}, not {expected!r}: the layout has changed")
