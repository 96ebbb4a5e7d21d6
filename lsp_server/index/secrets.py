"""What is a secret, by name and by content. Used for the index, for pinned files and for open documents.

Rules: pure; names match whatever their case. Code about secrets (`secrets.py`, a folder `credentials`) is code:
names are those of files, of data or keys. What is named like a secret is one wherever it lies, tracked by git or not.
"""

import re

_IS_NAME = re.compile(
    r"""
    \.env | \.env\..* | .*\.env | \.envrc
    | .*\.(?: pem | key | p8 | p12 | pfx | jks | keystore | kdbx | asc | gpg | ovpn | ppk )
    | .*\.(?: tfstate | tfstate\..* | tfvars | tfvars\.json )
    | \.netrc | _netrc | \.npmrc | \.pypirc | \.htpasswd | \.pgpass | \.my\.cnf | \.git-credentials | \.dockercfg
    | id_(?: rsa | dsa | ecdsa | ed25519 ).*
    | credentials | service[-_]account.*\.json | client_secret.*\.json
    # Data files called after secrets are secrets, programs called so are code.
    | (?: secret.* | .*[._-]secrets? | credentials.* )
      \.(?: json | y.?ml | toml | ini | cfg | conf | properties | xml | plist | txt | sh )
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
# Where programs keep what lets them in: folders, and single files by their folder.
_FOLDERS = frozenset((".ssh", ".gnupg", ".azure", ".gcloud"))
_IN_FOLDERS = frozenset(((".aws", "config"), (".kube", "config"), (".docker", "config.json")))

_BASE64_RUN = r"(?:(?!-----).){0,500}?[A-Za-z0-9+/]{16}"
_KEYS = re.compile(
    # A private key in PEM, also as a string of code or JSON; without a body it is code that looks for one.
    rf"-----BEGIN [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----{_BASE64_RUN}"
    r"|---- BEGIN SSH2 [A-Z ]{0,20}PRIVATE KEY ----"
    r"|PuTTY-User-Key-File-\d"
    r"|AGE-SECRET-KEY-1[0-9A-Z]{20}"
    r'|"d"\s{0,20}:\s{0,20}"[\w-]{40}',  # the private part of a JSON Web Key
    re.DOTALL,
)
_MARKS = ("PRIVATE KEY", "PuTTY-User", "AGE-SECRET", '"kty"')


def is_secret_name(path: str) -> bool:
    """Whether a file of this path is a secret, whatever it holds. Either separator, any case."""
    *folders, name = path.replace("\\", "/").split("/")
    if _IS_NAME.fullmatch(name) is not None:
        return True
    lower = [folder.lower() for folder in folders]
    return not _FOLDERS.isdisjoint(lower) or (bool(lower) and (lower[-1], name.lower()) in _IN_FOLDERS)


def holds_secret(text: str) -> bool:
    """Whether a text holds a private key, or is a PEM block, whatever its file is called."""
    if text.lstrip("\ufeff \t\r\n").startswith("-----BEGIN "):
        return True
    return any(mark in text for mark in _MARKS) and _KEYS.search(text) is not None
