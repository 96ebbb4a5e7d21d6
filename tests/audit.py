"""Audits what midfill is built on: `python -m tests.audit`, a part of `make check`.

Offline: every requirement is pinned to one version, and every licence, of the Python packages and of the extension's
npm packages, lets them be passed on beside Apache-2.0. Online: nothing that is pinned has a known vulnerability
(pip-audit, `npm audit`). A database that cannot be reached is told, and is no failure.

Rules: whatever could not be checked is said; no report means unreachable, never clean.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LOCK, EXTENSION = ROOT / "requirements.lock", ROOT / "vscode-extension"
# They ask for their notices to be kept, and MPL-2.0 for changes to its own files. Any other licence is looked at by a
# person before it is added. Besides SPDX's identifiers, the names of PyPI's classifiers and what packages write.
LICENCES = frozenset({
    "0bsd", "apache 2.0 license", "apache software license", "apache-2.0", "apache-2.0 with llvm-exception",
    "artistic-2.0", "blueoak-1.0.0", "bsd license", "bsd-2-clause", "bsd-3-clause", "bsl-1.0", "cc0-1.0",
    "cnri-python", "isc", "isc license (iscl)", "mit", "mit license", "mit-cmu", "mozilla public license 2.0 (mpl 2.0)",
    "mpl-2.0", "psf-2.0", "python software foundation license", "zlib",
})  # fmt: skip
# npm packages under other terms, by the beginning of their name, and why that is right.
EXCEPTIONS = {"@vscode/vsce-sign": "Microsoft's terms: a part of the tool that packs the extension, never passed on"}
# Identifiers of vulnerabilities that do not concern midfill, and why.
ACCEPTED: dict[str, str] = {}
# An answer takes five seconds; a network that swallows packets must not hold `make check`.
_TIMEOUT_S = 60


def unpinned(lock: str) -> list[str]:
    """The requirements of a lock file that are not pinned to exactly one version."""
    return [str(r) for r in _requirements(lock) if not re.fullmatch(r"==[^*,]+", str(r.specifier))]


def is_compatible(licence: str) -> bool:
    """Whether a licence expression, or classifiers' names, is made of `LICENCES`; nested ones are for a person."""
    choices = licence.lower().split(" or ")
    return any(all(part.strip() in LICENCES for part in re.split(" and |;", choice)) for choice in choices)


def licence_of(package: Distribution) -> str:
    """What a package says of its licence, the newest kind of metadata first."""
    meta = package.metadata
    names = [line.split(" :: ")[-1] for line in meta.get_all("Classifier") or () if line.startswith("License :: ")]
    names = [name for name in names if name != "OSI Approved"]
    return meta["License-Expression"] or "; ".join(names) or (meta["License"] or "none named").splitlines()[0]


def python_licences(lock: str) -> Iterator[str]:
    """What is wrong with the licences of the packages of a lock that belong on this platform."""
    for requirement in _requirements(lock):
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            licence = licence_of(distribution(requirement.name))
        except PackageNotFoundError:
            yield f"{requirement.name} is not installed, so its licence is not known: make setup"
            continue
        if not is_compatible(licence):
            yield f"{requirement.name}: {licence}"


def npm_licences(lock: Mapping[str, Any]) -> Iterator[str]:
    """The same of npm's lock, which keeps them itself."""
    for path, row in lock["packages"].items():
        name, licence = path.rpartition("node_modules/")[2] or "midfill", row.get("license", "none named")
        if not name.startswith(tuple(EXCEPTIONS)) and not is_compatible(licence):
            yield f"{name}: {licence}"


def python_vulnerabilities(report: str) -> tuple[list[str], str]:
    """(vulnerabilities, what was not checked) of pip-audit's JSON."""
    try:
        rows = json.loads(report)["dependencies"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return [], "everything"
    found = [
        f"{row['name']} {row['version']}: {vulnerability['id']}, repaired in {_words(vulnerability['fix_versions'])}"
        for row in rows
        for vulnerability in row.get("vulns", ())
        if not ACCEPTED.keys() & {vulnerability["id"], *vulnerability["aliases"]}
    ]
    skipped = [row["name"] for row in rows if "skip_reason" in row]
    return found, "everything" if len(skipped) == len(rows) else ", ".join(skipped)


def npm_vulnerabilities(report: str) -> tuple[list[str], str]:
    """(vulnerabilities, what was not checked) of npm's JSON."""
    try:
        rows = json.loads(report)["vulnerabilities"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return [], "everything"
    found = {
        f"{cause['name']} {cause['range']}: {cause['title']} ({cause['url']})"
        for row in rows.values()
        for cause in row["via"]
        if isinstance(cause, dict) and cause["url"].rpartition("/")[2] not in ACCEPTED
    }
    return sorted(found), ""


def main() -> int:
    """Print what is wrong and what could not be checked; 1 when something is wrong."""
    lock, npm_lock = LOCK.read_text(encoding="utf-8"), EXTENSION / "package-lock.json"
    faults = [f"not pinned to one version: {row}" for row in unpinned(lock)]
    faults += [f"licence not known to be compatible: {row}" for row in python_licences(lock)]
    faults += [
        f"licence not known to be compatible: npm's {row}"
        for row in npm_licences(json.loads(npm_lock.read_text(encoding="utf-8")))
    ]
    pip_audit = [sys.executable, "-m", "pip_audit", "-r", str(LOCK), "--no-deps", "--disable-pip"]
    asked = {
        "requirements.lock": python_vulnerabilities(_run([*pip_audit, "--progress-spinner", "off", "-f", "json"])),
        "package-lock.json": npm_vulnerabilities(_run(["npm", "audit", "--package-lock-only", "--json"])),
    }
    for name, (found, unchecked) in asked.items():
        faults += [f"known vulnerability in {name}: {row}" for row in found]
        if unchecked:
            print(f"audit: {name} was NOT checked for vulnerabilities, the database cannot be reached: {unchecked}")
        else:
            print(f"audit: {name}: {len(found)} known vulnerabilities")
    for fault in faults:
        print(f"audit: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _run(command: list[str]) -> str:
    """What a command prints; nothing when it is not there or does not come back."""
    try:
        done = subprocess.run(command, cwd=EXTENSION, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def _requirements(lock: str) -> list[Requirement]:
    return [Requirement(line) for line in lock.splitlines() if line and not line.startswith("#")]


def _words(versions: list[str]) -> str:
    return " or ".join(versions) or "no version yet"


if __name__ == "__main__":
    sys.exit(main())
