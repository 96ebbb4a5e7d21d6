"""What the front end must know of a model, read while the model's process starts.

A tokenizer takes as long to read as the process takes to start. Which store the process will choose is a guess, the
newest one; the process says which it was, and if that is of another file, its own is read then.

Rules: in a thread, though the library holds the interpreter's lock: what is gained is the other processor. A guess that
cannot be read says nothing; the store that the process names says what is wrong with it.
"""

import asyncio
import logging
from pathlib import Path

from model.library.catalog import resolve
from model.library.store import StoreError, newest_store, read_manifest
from model.library.tokenizer import VocabTokenizer

log = logging.getLogger(__name__)


class EarlyTokenizer:
    """The tokenizer of a model whose process is starting."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._guess: Path | None = None
        self._reading: asyncio.Future[VocabTokenizer | None] | None = None

    def begin(self) -> None:
        """Begin to read that of the newest store, once; returns at once."""
        if self._reading is None and (store := newest_store(resolve(self._model).model_id)) is not None:
            self._guess = store
            self._reading = asyncio.get_running_loop().run_in_executor(None, _open, store)

    async def of(self, store: Path) -> VocabTokenizer:
        """That of the store which the process has chosen; UnsupportedTokenizer when it cannot be read."""
        reading, self._reading = self._reading, None  # one that is not taken is not kept beside the other
        if reading is not None and _are_of_one_model(self._guess, store) and (early := await reading) is not None:
            return early
        return await asyncio.to_thread(VocabTokenizer.open, store)


def _are_of_one_model(guess: Path | None, store: Path) -> bool:
    """Whether two stores were made of one file, which has one tokenizer: int8 and int4, say."""
    if guess is None or guess == store:
        return guess is not None
    try:
        return read_manifest(guess).source_sha256 == read_manifest(store).source_sha256
    except StoreError:
        return False


def _open(store: Path) -> VocabTokenizer | None:
    try:
        return VocabTokenizer.open(store)
    except Exception:  # whatever it is: the store that the process names is read then, and says it
        log.exception("the tokenizer of %s could not be read ahead", store)
        return None
