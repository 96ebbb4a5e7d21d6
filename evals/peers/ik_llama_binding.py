"""ik_llama.cpp's C API, by ctypes: implements `evals.peers.library.PeerLibrary`.

ik_llama.cpp is a fork of llama.cpp that is made for speed on CPUs. The `ik-llama-cpp-python` wheel holds its
shared library, built for AVX2, and ctypes structs for it, which are used here; some functions keep older names.

Rules: those of `evals.peers.library`. It runs as fast as it can: run-time repacking of the weights into rows
interleaved for the CPU (its `-rtr`, which needs `use_mmap` off), and its fused operators, which are its default.
"""

from ctypes import c_char_p, c_int32, c_void_p
from typing import Any

from evals.peers.library import (
    N_SEQUENCES,
    SEQ_ADD,
    SEQ_CP,
    SEQ_RM,
    STATE_COPY,
    STATE_SIZE,
    PeerSettings,
    check_defaults,
    load_library,
    wheel_file,
)

# The functions below were written from this wheel's llama.h.
IK_LLAMA_VERSION = "0.1.5"
_KNOWN_CONTEXT_DEFAULTS = {
    "n_batch": 2048,
    "n_ubatch": 512,
    "type_k": 1,  # GGML_TYPE_F16
    "type_v": 1,
    "embeddings": False,
    "flash_attn": True,
    "mla_attn": 3,
    "fused_up_gate": True,
    "fused_mmad": True,
    "graph_reuse": True,
    "offload_policy": None,
    "cuda_params": None,
}
_KNOWN_MODEL_DEFAULTS = {"use_mmap": True, "repack_tensors": False, "dry_run": False, "flash_attn": True}


class IkLlama:
    """Implements PeerLibrary; PeerUnavailable from the constructor when the wheel is missing or another."""

    name = "ik_llama.cpp"

    def __init__(self) -> None:
        path = wheel_file("ik-llama-cpp-python", IK_LLAMA_VERSION, "ik_llama_cpp", "lib/libllama.so")
        from ik_llama_cpp import _ctypes_api as api  # loads the same file, which is known to be there only now

        self._batch = api.llama_batch
        self.c = library = load_library(
            path,
            {
                "llama_model_default_params": (api.llama_model_params, []),
                "llama_context_default_params": (api.llama_context_params, []),
                "llama_model_load_from_file": (c_void_p, [c_char_p, api.llama_model_params]),
                "llama_init_from_model": (c_void_p, [c_void_p, api.llama_context_params]),
                "llama_decode": (c_int32, [c_void_p, api.llama_batch]),
                "llama_kv_cache_seq_rm": SEQ_RM,
                "llama_kv_cache_seq_cp": SEQ_CP,
                "llama_kv_cache_seq_add": SEQ_ADD,
                "llama_kv_cache_clear": (None, [c_void_p]),
                "llama_state_seq_get_size": STATE_SIZE,
                "llama_state_seq_get_data": STATE_COPY,
                "llama_state_seq_set_data": STATE_COPY,
            },
        )
        check_defaults("llama_context_params", library.llama_context_default_params(), _KNOWN_CONTEXT_DEFAULTS)
        check_defaults("llama_model_params", library.llama_model_default_params(), _KNOWN_MODEL_DEFAULTS)
        self.seq_rm, self.seq_cp = library.llama_kv_cache_seq_rm, library.llama_kv_cache_seq_cp
        self.seq_add, self.clear = library.llama_kv_cache_seq_add, library.llama_kv_cache_clear
        self.state_size = library.llama_state_seq_get_size
        self.state_get, self.state_set = library.llama_state_seq_get_data, library.llama_state_seq_set_data

    def open_model(self, path: str) -> int | None:
        """As the protocol says."""
        params = self.c.llama_model_default_params()
        params.use_mmap, params.repack_tensors = False, True
        handle: int | None = self.c.llama_model_load_from_file(path.encode(), params)
        return handle

    def open_context(self, model: int, settings: PeerSettings) -> int | None:
        """As the protocol says; "auto" flash attention is its default, on."""
        params = self.c.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = settings.n_ctx, settings.n_batch, settings.n_ubatch
        params.n_threads = params.n_threads_batch = settings.n_threads
        params.flash_attn = settings.flash_attn != "off"
        params.n_seq_max = N_SEQUENCES
        handle: int | None = self.c.llama_init_from_model(model, params)
        return handle

    def batch(self, ids: list[int], position: int) -> Any:
        """As the protocol says: its batches count positions from a start that they name."""
        tokens = (c_int32 * len(ids))(*ids)
        return self._batch(n_tokens=len(ids), token=tokens, all_pos_0=position, all_pos_1=1, all_seq_id=0)
