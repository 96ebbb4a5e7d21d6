"""What a workspace's files were decoded from, in words: for `midfill doctor`.

Rules: the files are read as the index reads them, whether there is an index or not.
"""

from collections import Counter
from itertools import islice
from pathlib import Path

from lsp_server.documents.decoding import UTF_8
from lsp_server.documents.file_names import shown
from lsp_server.index.files import read_decoded, walk

# About ten seconds of reading.
_MAX_FILES = 20_000


def codings_in_words(root: Path) -> str:
    """How many files are sources, which of them are not UTF-8, and how many are left out by what they hold."""
    if root in (Path.home(), *Path.home().parents):
        return "not counted: this is no project's folder"
    found = Counter(
        "" if (text := read_decoded(root, file)) is None else text.coding for file in islice(walk(root), _MAX_FILES)
    )
    n_files, n_left_out = found.total(), found.pop("", 0)
    del found[UTF_8]
    others = ", ".join(f"{n} {coding}" for coding, n in found.most_common())
    words = f"{n_files} in {shown(str(root))}, {found.total()} of them not UTF-8"
    words += f" ({others})" if others else ""
    return f"{words}, {n_left_out} left out (binary, minified, or with a key in them)"
