"""A quantized store runs without torch: where it cannot be imported, and in the daemon that users have."""

import asyncio
import json
import subprocess
import sys
from array import array
from pathlib import Path

import pytest

from completion.types import Format, Prompt
from model.library.catalog import resolve
from model.link.client import EngineClient, EngineState, Phase
from model.link.spawn import EngineSettings
from model.native import binding
from model.weights.quantize import make_store
from tests.conftest import daemons_of
from tests.test_repo_rules import HEAVY

pytestmark = pytest.mark.skipif(not binding.kernel_name(), reason="the native extension was not built")

# From a model's name to tokens, as the daemon's engine thread does it; a module that is None cannot be imported.
_RUN = f"""
import sys
sys.modules.update(dict.fromkeys({HEAVY}))
import json
from array import array
from model.engine import startup
from model.engine.generate import Request
from model.engine.layout import Part, Window
from model.link.spawn import EngineSettings
tokens, finished = {{}}, []
def on_finished(report):
    finished.append(report.finish)
    if len(finished) == 4:
        scheduler.stop()
settings = EngineSettings(model=sys.argv[1], device=sys.argv[2], quantization=sys.argv[3])
scheduler = startup.prepare(settings, lambda *what: None, lambda *what: None)
for key, more in enumerate([{{}}, {{"heal": b"re"}}, {{"n_candidates": 3}}, {{"target": array("I", [1, 2, 3])}}]):
    fields = dict(heal=b"", stop_token_ids=frozenset(), max_tokens=5) | more
    scheduler.submit(Request(
        key=key, session=f"s{{key}}", on_prefilled=lambda report: None, on_finished=on_finished,
        window=Window(array("I", range(60)), (Part(0, 20, 0, False), Part(20, 50, 1, True), Part(50, 60, 0, False))),
        on_token=lambda candidate, token, *rest, key=key: tokens.setdefault(f"{{key}}", []).append(token), **fields,
    ))
scheduler.run()
print(json.dumps([tokens, finished, scheduler.counters.last_error, sorted(m for m in sys.modules if sys.modules[m])]))
"""


@pytest.mark.parametrize("device", ["cpu", "auto"])
@pytest.mark.parametrize("kind", ["int4", "int8"])
def test_a_store_is_opened_and_answers_where_nothing_heavy_can_be_imported(
    tiny_model: Path, tiny_cache: Path, device: str, kind: str
) -> None:
    make_store(resolve(str(tiny_model)), tiny_model, kind, lambda done: None)
    ran = subprocess.run(
        [sys.executable, "-c", _RUN, str(tiny_model), device, kind], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    tokens, finished, error, modules = json.loads(ran.stdout)
    assert error == ""
    assert set(finished) <= {"length", "stop"}
    assert {key: len(ids) for key, ids in tokens.items()} == {"0": 5, "1": len(tokens["1"]), "2": 15, "3": 3}
    assert bytes(tokens["1"][:2]) == b"re"
    assert "model.decoders.native_decoder" in modules
    assert [module for module in modules if module.split(".")[0] in HEAVY] == []


@pytest.mark.e2e
def test_a_daemon_has_no_torch_in_its_memory_though_it_made_the_store(tiny_model: Path, tiny_cache: Path) -> None:
    """The first start quantizes, in another process, and says how far it is; then it answers."""
    told: list[EngineState] = []

    async def scenario() -> str:
        async with asyncio.timeout(120):
            client = EngineClient(EngineSettings(model=str(tiny_model), idle="never"), told.append)
            running = asyncio.create_task(client.run())
            while client.state.phase is not Phase.READY:
                assert client.state.phase is not Phase.FAILED, client.state.message
                await asyncio.sleep(0.02)
            prompt = Prompt(
                token_ids=array("I", range(50)), heal=b"", stop_token_ids=(), max_tokens=4, format=Format.LEFT
            )
            ids = [i async for delta in client.generate(prompt, session="s") for i in delta.token_ids]
            assert len(ids) == 4
            (daemon,) = daemons_of(tiny_cache)
            maps = Path(f"/proc/{daemon}/maps").read_text()
            running.cancel()
            await asyncio.wait([running])
            await client.close()
            return maps

    maps = asyncio.run(scenario())
    assert "_native" in maps  # what computes is seen there
    assert [line for line in maps.splitlines() if "libtorch" in line] == []
    fractions = [state.fraction for state in told if state.phase is Phase.QUANTIZING]
    assert len(fractions) > 3
    assert fractions == sorted(fractions)
