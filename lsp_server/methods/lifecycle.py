"""The beginning and the end of a server, and what changes between: its configuration and its workspace folders.

Rules: an editor that does not answer, or answers with something else, gets the defaults.
"""

import asyncio
import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lsprotocol import types as t
from pygls.exceptions import JsonRpcException

from lsp_server.server import Midfill

log = logging.getLogger(__name__)

# An editor that says it can be asked for its configuration, but does not answer, gets the defaults after this.
_CONFIGURATION_WAIT_S = 5.0
_MAX_THREADS = 32


def initialize(ls: Midfill, params: t.InitializeParams) -> None:
    """The editor says what it can and what it wants; the capabilities have not been told yet."""
    # A thread waits for each text that is being parsed elsewhere: a hostile one must not take the last.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="work"))
    ls.options = _section(params.initialization_options)
    if not ls.workspace.folders and (root := ls.workspace.root_uri):  # of older editors: the first folder
        ls.workspace.add_folder(t.WorkspaceFolder(uri=root, name=""))
    ls.popup.initialize(ls.options.get("completionFallback"))


async def initialized(ls: Midfill, params: t.InitializedParams) -> None:
    """The editor is ready to be asked for its settings."""
    _ask_for_configuration_changes(ls)
    await _configure(ls, await _pull_configuration(ls))


async def did_change_configuration(ls: Midfill, params: t.DidChangeConfigurationParams) -> None:
    """The settings changed."""
    await _configure(ls, await _pull_configuration(ls) or _section(params.settings))


async def did_change_workspace_folders(ls: Midfill, params: t.DidChangeWorkspaceFoldersParams) -> None:
    """The folders changed; pygls has followed already, as far as it goes."""
    removed = {folder.uri.rstrip("/") for folder in params.event.removed}
    for uri in [uri for uri in ls.folders() if uri.rstrip("/") in removed]:
        ls.workspace.remove_folder(uri)  # pygls has not, where a folder was named without its last slash
    await ls.follow_workspace()


async def shutdown(ls: Midfill, params: None) -> None:
    """Leave everything."""
    ls.was_shut_down = True
    async with contextlib.AsyncExitStack() as leaving:  # each is done, from the last one up, if another fails or not
        leaving.push_async_callback(ls.engine.stop)
        leaving.push_async_callback(ls.larger.stop)
        leaving.push_async_callback(ls.follow_workspace)
        leaving.callback(ls.recorder.close)
        leaving.callback(ls.stop_choosing)


async def _configure(ls: Midfill, settings: dict[str, Any]) -> None:
    await ls.configure(_merged(ls.options, settings))
    ls.popup.configure(ls.config.completion_fallback)


async def _pull_configuration(ls: Midfill) -> dict[str, Any]:
    """The editor's "midfill" section, when it can be asked for; {} otherwise."""
    workspace = ls.client_capabilities.workspace
    if not (workspace and workspace.configuration):
        return {}
    items = [t.ConfigurationItem(section="midfill")]
    try:
        answer = await asyncio.wait_for(
            ls.workspace_configuration_async(t.ConfigurationParams(items=items)), _CONFIGURATION_WAIT_S
        )
    except (TimeoutError, JsonRpcException) as error:
        log.warning("the editor did not answer workspace/configuration: %s", error or "no answer in time")
        return {}
    return _section(answer[0] if answer else None)


def _section(settings: object) -> dict[str, Any]:
    """midfill's part of what an editor sent: some editors send the section, some the object that holds it."""
    section = settings.get("midfill", settings) if isinstance(settings, dict) else None
    return section if isinstance(section, dict) else {}


def _ask_for_configuration_changes(ls: Midfill) -> None:
    """Some editors send didChangeConfiguration only to servers that register for it."""
    workspace = ls.client_capabilities.workspace
    changes = workspace.did_change_configuration if workspace else None
    if changes and changes.dynamic_registration:
        method = t.WORKSPACE_DID_CHANGE_CONFIGURATION
        options = t.DidChangeConfigurationRegistrationOptions(section="midfill")
        registration = t.Registration(id=method, method=method, register_options=options)
        ls.client_register_capability(t.RegistrationParams(registrations=[registration]))


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Two configurations as one; the second one's keys win, nested objects are merged."""
    merged = dict(under)
    for key, value in over.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if nested else value
    return merged
