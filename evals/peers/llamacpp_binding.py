"""llama.cpp's own C API, by ctypes: implements `evals.peers.library.PeerLibrary`.

The `xllamacpp` wheel is a prebuilt llama.cpp behind a Python class; its extension module exports the C API
as ordinary dynamic symbols, and only there can one ask for logits, log-probabilities and exact timings.

Rules: those of `evals.peers.library`. The CPU backend repacks the weights by itself (`use_extra_bufts`).
"""

import ctypes
from collections.abc import Callable
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int8, c_int32, c_size_t, c_uint32, c_void_p
from pathlib import Path
from typing import Any, ClassVar

from evals.peers.library import (
    N_SEQUENCES,
    SEQ_ADD,
    SEQ_CP,
    SEQ_RM,
    STATE_COPY,
    STATE_SIZE,
    PeerSettings,
    PeerUnavailable,
    Signatures,
    check_defaults,
    load_library,
    wheel_file,
)

# The layouts below were written from this wheel's llama.h, and from that of llama-cpp-python 0.3.36.
XLLAMACPP_VERSION = "2026.10.11549"


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
    """`struct llama_context_params` of the wheel."""

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


class PlainContextParams(ctypes.Structure):
    """The same of a llama.cpp without a cache for experts, as llama-cpp-python builds it."""

    _fields_: ClassVar = [field for field in ContextParams._fields_ if field[0] != "moe_cache_size"]


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
KNOWN_CONTEXT_DEFAULTS = {
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

_SIGNATURES: Signatures = {
    "llama_model_default_params": (ModelParams, []),
    "llama_context_default_params": (ContextParams, []),
    "llama_model_load_from_file": (c_void_p, [c_char_p, ModelParams]),
    "llama_init_from_model": (c_void_p, [c_void_p, ContextParams]),
    "llama_decode": (c_int32, [c_void_p, Batch]),
    "llama_get_memory": (c_void_p, [c_void_p]),
    "llama_memory_seq_rm": SEQ_RM,
    "llama_memory_seq_cp": SEQ_CP,
    "llama_memory_seq_add": SEQ_ADD,
    "llama_memory_clear": (None, [c_void_p, c_bool]),
    "llama_state_seq_get_size_ext": STATE_SIZE,
    "llama_state_seq_get_data_ext": STATE_COPY,
    "llama_state_seq_set_data_ext": STATE_COPY,
}
_FLASH = {"auto": -1, "off": 0, "on": 1}


def check_context_layout(library: ctypes.CDLL) -> None:
    """Find which layout shows the known defaults, and use it; PeerUnavailable where none does.

    The largest is tried first: the library writes its own, whatever room there is.
    """
    try:
        check_defaults("llama_context_params", library.llama_context_default_params(), KNOWN_CONTEXT_DEFAULTS)
    except PeerUnavailable:
        library.llama_context_default_params.restype = PlainContextParams
        library.llama_init_from_model.argtypes = [c_void_p, PlainContextParams]
        check_defaults("llama_context_params", library.llama_context_default_params(), KNOWN_CONTEXT_DEFAULTS)


class LlamaCpp:
    """Implements PeerLibrary; PeerUnavailable from the constructor when the wheel is missing or another.

    `path`: a shared library that somebody built, of one of the known llama.h, instead of the wheel's.
    """

    name = "llama.cpp"

    def __init__(self, path: Path | None = None) -> None:
        path = path or wheel_file("xllamacpp", XLLAMACPP_VERSION, "xllamacpp", "xllamacpp*.so")
        try:
            self.c = library = load_library(path, _SIGNATURES)
        except (OSError, AttributeError) as error:
            raise PeerUnavailable(
                f"{path} is no llama.cpp of the version of xllamacpp {XLLAMACPP_VERSION}: {error}"
            ) from error
        check_context_layout(library)
        check_defaults("llama_model_params", library.llama_model_default_params(), _KNOWN_MODEL_DEFAULTS)

        def of_memory(function: Callable[..., Any], *more: bool) -> Callable[..., Any]:
            return lambda context, *arguments: function(library.llama_get_memory(context), *arguments, *more)

        self.seq_rm, self.seq_cp = of_memory(library.llama_memory_seq_rm), of_memory(library.llama_memory_seq_cp)
        self.seq_add = of_memory(library.llama_memory_seq_add)
        self.clear = of_memory(library.llama_memory_clear, True)  # the data too
        self.state_size = library.llama_state_seq_get_size_ext
        self.state_get = library.llama_state_seq_get_data_ext
        self.state_set = library.llama_state_seq_set_data_ext

    def open_model(self, path: str) -> int | None:
        """As the protocol says."""
        handle: int | None = self.c.llama_model_load_from_file(path.encode(), self.c.llama_model_default_params())
        return handle

    def open_context(self, model: int, settings: PeerSettings) -> int | None:
        """As the protocol says; the sequences share one buffer, so a second one costs the first nothing."""
        params = self.c.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = settings.n_ctx, settings.n_batch, settings.n_ubatch
        params.n_threads = params.n_threads_batch = settings.n_threads
        params.flash_attn_type = _FLASH[settings.flash_attn]
        params.n_seq_max, params.kv_unified = N_SEQUENCES, True
        handle: int | None = self.c.llama_init_from_model(model, params)
        return handle

    def batch(self, ids: list[int], position: int) -> Batch:
        """As the protocol says; the library itself counts positions on."""
        return Batch(n_tokens=len(ids), token=(c_int32 * len(ids))(*ids))
