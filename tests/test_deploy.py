"""The files of docs/deploy: they agree with each other, their own tools take them, and Caddy does what they say.

`make test-deploy` has Docker's compose and the schemas of Kubernetes in an environment of its own; Caddy (Debian's
package) and kubeconform are used where they are on the path.

Rules: nothing is fetched, and no container is started. Caddy is the real one, and changes nothing outside its folder.
"""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from model.link.client import Phase
from tests.model.remote.server import SAYS, Call, ModelServer
from tests.model.remote.test_answers import OpenAiPages, local_model
from tests.model.remote.test_faults import client_of, prompt, run, said, until

DEPLOY = Path(__file__).parents[1] / "docs/deploy"
TOOLS = Path(__file__).parents[1] / ".venv-deploy/bin"
KEY = "a-key-of-the-team"
CADDY, KUBECONFORM = shutil.which("caddy"), shutil.which("kubeconform")
__all__ = ["local_model"]  # a fixture


def _options(name: str) -> set[str]:
    """What vLLM is started with, but for where it listens."""
    text = (DEPLOY / name).read_text()
    return {
        value for value in re.findall(r"^\s*- (--\S+|\w+/\S+)(?: #.*)?$", text, re.MULTILINE) if "--host" not in value
    }


def test_both_start_the_same_server() -> None:
    assert _options("compose.yaml") == _options("kubernetes.yaml")
    assert "--generation-config=vllm" in _options("compose.yaml")
    images = [
        set(re.findall(r"image: (\S+)", (DEPLOY / f"{name}.yaml").read_text())) for name in ("compose", "kubernetes")
    ]
    assert images[0] == images[1]
    assert len(images[0]) == 2


def test_docs_team_names_the_files() -> None:
    text = (DEPLOY.parent / "team.md").read_text()
    assert [name for name in os.listdir(DEPLOY) if f"deploy/{name}" not in text] == []


# -- their own tools ---------------------------------------------------------------------------------------


def _tool(name: str) -> str:
    if not (TOOLS / name).exists():
        pytest.skip(f"no {name}: make test-deploy installs it")
    return str(TOOLS / name)


def _compose(**variables: str) -> subprocess.CompletedProcess[str]:
    command = [_tool("docker-compose"), "--file", str(DEPLOY / "compose.yaml"), "config", "--format", "json"]
    return subprocess.run(command, env=_environment(**variables), capture_output=True, text=True)


def _environment(**variables: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MIDFILL_")}
    return ours | variables


@pytest.mark.apart
def test_docker_compose_takes_the_file_and_opens_nothing_but_the_door() -> None:
    done = _compose(MIDFILL_SITE="models.example.org", MIDFILL_KEY=KEY)
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    assert {name: "ports" in service for name, service in services.items()} == {"vllm": False, "door": True}
    assert services["vllm"]["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert services["door"]["environment"]["MIDFILL_KEY"] == KEY


@pytest.mark.apart
@pytest.mark.parametrize("left_out", ["MIDFILL_KEY", "MIDFILL_SITE"])
def test_docker_compose_starts_nothing_without_a_key_or_a_name(left_out: str) -> None:
    given = {"MIDFILL_SITE": "models.example.org", "MIDFILL_KEY": KEY}
    done = _compose(**{name: "" if name == left_out else value for name, value in given.items()})
    assert done.stdout == ""
    assert f"required variable {left_out} is missing a value" in done.stderr


@pytest.mark.apart
def test_kubernetes_own_schemas_take_the_manifest() -> None:
    command = [_tool("kubernetes-validate"), "--strict", str(DEPLOY / "kubernetes.yaml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r" passed for resource ", done.stdout + done.stderr)) == 4


@pytest.mark.apart
@pytest.mark.skipif(KUBECONFORM is None, reason="no kubeconform")
def test_kubeconform_takes_the_manifest(tmp_path: Path) -> None:
    """With the schemas that kubernetes-validate brings, which refer to each other by an address of its own."""
    schemas = sorted(TOOLS.parent.glob("lib/*/site-packages/kubernetes_validate/kubernetes-json-schema/*-local-strict"))
    if not schemas:
        pytest.skip("no schemas: make test-deploy installs them")
    for name in (
        "_definitions",
        "deployment-apps-v1",
        "ingress-networking-v1",
        "persistentvolumeclaim-v1",
        "service-v1",
    ):
        text = (schemas[-1] / f"{name}.json").read_text()
        (tmp_path / f"{name}.json").write_text(
            text.replace("/api/_definitions.json", f"file://{tmp_path}/_definitions.json")
        )
    place = f"{tmp_path}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
    command = [str(KUBECONFORM), "-strict", "-output", "json", "-summary", "-schema-location", place]
    done = subprocess.run([*command, str(DEPLOY / "kubernetes.yaml")], capture_output=True, text=True)
    assert json.loads(done.stdout)["summary"] == {"valid": 4, "invalid": 0, "errors": 0, "skipped": 0}, done.stdout


# -- the door ----------------------------------------------------------------------------------------------


@contextmanager
def _door(upstream: str, folder: Path) -> Iterator[tuple[str, Path, Path]]:
    """Caddy before a server, with the Caddyfile as it stands: its URL, its certificate authority, its log.

    The changes keep it to its folder: it opens no second port, and tells no system to trust it.
    """
    log = folder / "log.json"
    text = (DEPLOY / "Caddyfile").read_text()
    text = text.replace("\tadmin off\n", "\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n", 1)
    text = text.replace("\trequest_body {", f"\tlog {{\n\t\toutput file {log}\n\t}}\n\trequest_body {{", 1)
    file = folder / "Caddyfile"
    file.write_text(text)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    named = {"MIDFILL_SITE": f"https://localhost:{port}", "MIDFILL_KEY": KEY, "MIDFILL_UPSTREAM": upstream}
    places = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    process = subprocess.Popen(
        [str(CADDY), "run", "--config", str(file), "--adapter", "caddyfile"],
        env=_environment(**named, **places),
        stderr=subprocess.DEVNULL,
    )
    try:
        yield named["MIDFILL_SITE"], folder / "caddy/pki/authorities/local/root.crt", log
    finally:
        process.terminate()
        process.wait(20)


async def _listens(url: str, authority: Path) -> None:
    port = int(url.rsplit(":", 1)[1])

    def answers() -> bool:
        with socket.socket() as probe:
            return authority.exists() and probe.connect_ex(("127.0.0.1", port)) == 0

    await until(answers)


async def _one_token_and_no_end(call: Call) -> None:
    await call.head(Content_Type="text/event-stream")
    await call.event({"model": "tiny", "choices": [{"text": "u", "finish_reason": None}]})
    await call.hung_up.wait()


@pytest.mark.apart
@pytest.mark.skipif(CADDY is None, reason="no caddy")
def test_the_door_lets_in_who_has_the_key_to_what_midfill_asks_and_hangs_up_with_him(
    tmp_path: Path, local_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_KEY", KEY)
    monkeypatch.setenv("WRONG_KEY", f"{KEY}*")

    async def test(server: ModelServer) -> None:
        pages = OpenAiPages(server, ids=True, logprobs=True, constraint="structured_outputs")
        with _door(server.url.removeprefix("http://"), tmp_path) as (url, authority, log):
            await _listens(url, authority)
            trusting: dict[str, Any] = {"ca_file": str(authority), "tokenizer_of": local_model, "kind": "auto"}
            async with client_of(url, **trusting, key_variable="WRONG_KEY", phases=(Phase.FAILED,)) as client:
                assert "wants a key" in client.state.message
            assert server.calls == [], "the server is asked nothing by a stranger"
            async with client_of(url, **trusting, key_variable="TEAM_KEY") as client:
                told = client.describe()
                assert told.startswith("openai with tiny")
                assert "prompts as token ids" in told
                assert await said(client) == SAYS
                server.pages["/v1/completions"] = _one_token_and_no_end
                answer = client.generate(prompt(), session="s")
                await anext(answer)
                call = server.completions[-1]
                await answer.aclose()  # type: ignore[attr-defined]
                async with asyncio.timeout(20):
                    await call.hung_up.wait()
            assert pages.says == SAYS
            asked = {call.path for call in server.calls}
            assert asked == {"/v1/models", "/v1/completions", "/tokenize"}, "and not /props and /api/version"
            seen = [json.loads(line)["request"] for line in log.read_text().splitlines()]
            assert {row["proto"] for row in seen} == {"HTTP/1.1"}

    run(test)
