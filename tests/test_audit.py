"""The audit finds what it is for, and never takes silence for a clean report."""

import json

import pytest

from tests import audit


def test_a_requirement_is_pinned_to_one_version() -> None:
    lock = "# made by hand\na==1.0\nb>=2\nc==3.*\nd\ne==1.2; sys_platform == 'linux'\nf==1,!=2\n"
    assert [row[0] for row in audit.unpinned(lock)] == ["b", "c", "d", "f"]


@pytest.mark.parametrize(
    ("licence", "compatible"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND 0BSD", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("MIT License; GNU General Public License v3 (GPLv3)", False),
        ("(MIT OR GPL-3.0-only) AND Unheard-Of", False),
        ("none named", False),
        ("", False),
    ],
)
def test_a_licence_is_compatible_when_all_of_one_choice_is(licence: str, compatible: bool) -> None:
    assert audit.is_compatible(licence) is compatible


def test_a_package_that_is_not_there_is_told() -> None:
    assert "not installed" in next(audit.python_licences("no-such-package-here==1.0\n"))
    assert not list(audit.python_licences("no-such-package-here==1.0; sys_platform == 'never'\n"))


def test_an_npm_package_without_a_licence_is_told() -> None:
    packages = {
        "": {"license": "Apache-2.0"},
        "node_modules/a/node_modules/b": {},
        "node_modules/c": {"license": "MIT"},
    }
    assert list(audit.npm_licences({"packages": packages})) == ["b: none named"]


def test_vulnerabilities_of_python_packages_are_found() -> None:
    rows = [
        {"name": "a", "version": "1.0", "vulns": [{"id": "PYSEC-1", "aliases": [], "fix_versions": ["1.1"]}]},
        {"name": "b", "version": "1.0", "vulns": []},
        {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (1.0)"},
    ]
    found, unchecked = audit.python_vulnerabilities(json.dumps({"dependencies": rows, "fixes": []}))
    assert found == ["a 1.0: PYSEC-1, repaired in 1.1"]
    assert unchecked == "c"


def test_vulnerabilities_of_npm_packages_are_found_once() -> None:
    cause = {"name": "a", "range": "<2", "title": "reads too much", "url": "https://example.org/advisories/GHSA-1"}
    report = {"vulnerabilities": {"a": {"via": [cause]}, "b": {"via": ["a", cause]}}}
    assert audit.npm_vulnerabilities(json.dumps(report)) == (["a <2: reads too much (" + cause["url"] + ")"], "")


def test_an_accepted_vulnerability_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(audit.ACCEPTED, "GHSA-1", "not used")
    cause = {"name": "a", "range": "<2", "title": "reads too much", "url": "https://example.org/advisories/GHSA-1"}
    vulnerability = {"id": "PYSEC-1", "aliases": ["GHSA-1"], "fix_versions": []}
    row = {"name": "a", "version": "1.0", "vulns": [vulnerability]}
    assert audit.npm_vulnerabilities(json.dumps({"vulnerabilities": {"a": {"via": [cause]}}}))[0] == []
    assert audit.python_vulnerabilities(json.dumps({"dependencies": [row]}))[0] == []


@pytest.mark.parametrize(
    "report",
    [
        "",
        "not json",
        '{"error": {"summary": ""}, "statusCode": 405}',
        '{"dependencies": [{"name": "a", "skip_reason": ""}]}',
    ],
)
def test_no_report_is_not_a_clean_one(report: str) -> None:
    assert audit.python_vulnerabilities(report) == ([], "everything")
    assert audit.npm_vulnerabilities(report) == ([], "everything")
