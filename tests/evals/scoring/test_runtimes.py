from pathlib import Path

import pytest

from evals.scoring import runtimes

# (passes, fails, does not compile or parse) in each language that may be here.
PROGRAMS = {
    "c": ("#include <assert.h>\nint main() { assert(1 + 1 == 2); return 0; }",
          "#include <assert.h>\nint main() { assert(1 + 1 == 3); return 0; }", "int main( {"),
    "cpp": ("#include <cassert>\nint main() { assert(1 + 1 == 2); }",
            "#include <cassert>\nint main() { assert(1 + 1 == 3); }", "int main( {"),
    "java": ("class A { public static void main(String[] x) { assert 1 + 1 == 2; } }",
             "class A { public static void main(String[] x) { assert 1 + 1 == 3; } }", "class A {"),
    "javascript": ("console.assert(1 + 1 === 2);", "console.assert(1 + 1 === 3);", "function ("),
    "lua": ("assert(1 + 1 == 2)", "assert(1 + 1 == 3)", "function ("),
    "perl": ("die unless 1 + 1 == 2;", "die unless 1 + 1 == 3;", "sub {"),
    "php": ("<?php\nif (1 + 1 != 2) { exit(1); }", "<?php\nif (1 + 1 != 3) { exit(1); }", "<?php\nfunction ("),
    "python": ("assert 1 + 1 == 2", "assert 1 + 1 == 3", "def ("),
    "r": ("stopifnot(1 + 1 == 2)", "stopifnot(1 + 1 == 3)", "function("),
    "ruby": ("raise unless 1 + 1 == 2", "raise unless 1 + 1 == 3", "def ("),
    "rust": ("#[test]\nfn t() { assert_eq!(1 + 1, 2); }", "#[test]\nfn t() { assert_eq!(1 + 1, 3); }", "fn ("),
    "shell": ("[[ $((1 + 1)) == 2 ]] || exit 1", "[[ $((1 + 1)) == 3 ]] || exit 1", "if ("),
    "tcl": ("if {1 + 1 != 2} { error wrong }", "if {1 + 1 != 3} { error wrong }", "proc {"),
    "vimscript": ("if assert_equal(2, 1 + 1) | cq | endif\nexit(0)", "if assert_equal(3, 1 + 1) | cq | endif\nexit(0)",
                  "call NoSuchFunction()\nif assert_equal(3, NoSuchFunction()) | cq | endif\ncq"),
}  # fmt: skip
SCRIPTS = {"javascript": "process.exit(0);", "perl": "exit(0);", "shell": "exit 0", "tcl": "exit 0"}


def installed(name: str) -> runtimes.Runtime:
    runtime = runtimes.of(name)
    if runtime is None:
        pytest.skip(f"{name} is not installed here")
    return runtime


def test_every_runtime_is_tested() -> None:
    assert set(PROGRAMS) == {*runtimes.RUNTIMES, "python"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_only_a_program_that_does_what_its_test_says_passes(name: str) -> None:
    runtime = installed(name)
    good, bad, broken = PROGRAMS[name]
    assert runtimes.run(runtime, good).error == ""
    assert not runtimes.run(runtime, bad).passed
    assert not runtimes.run(runtime, broken).passed


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_that_leaves_early_does_not_pass(name: str) -> None:
    assert runtimes.run(installed(name), SCRIPTS[name]).error == "exit code 0"


def test_a_shell_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "_RUN_S", 1.0)
    assert runtimes.run(installed("shell"), "while true; do :; done").error == "timeout"
    assert runtimes.run(installed("shell"), "sleep 100").error == "timeout"


def test_a_command_that_is_not_here_is_no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert runtimes.of("c") is None
    assert runtimes.of("no such language") is None
    assert runtimes.of("python") is runtimes.PYTHON


def test_programs_write_into_a_folder_that_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert runtimes.run(installed("shell"), "echo x > here; [[ -e here ]] || exit 1").passed
    assert list(tmp_path.iterdir()) == []
