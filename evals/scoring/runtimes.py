"""Programs in other languages than Python, run where their compiler or interpreter is installed. Used by the suites.

A runtime is one row. `of` gives it for a name when its tools are on this machine, else None: such examples are not
executed. McEval's canonical solutions pass (all but 6 of 506) under C, C++, Java, JavaScript, Perl, Rust, Shell, Tcl,
VimScript and Python; Lua, PHP, R and Ruby have not been run.

Rules: a script passes when its last line is reached, which `ending` makes the exit code `EXIT_PASSED` for; where a
language has no such place (`ending` is empty) the exit code must be 0, and a program that leaves early passes.
Callers verify a runtime with the true program first: nothing is said of the model where that does not pass.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from evals.scoring.sandbox import Verdict, run_command, run_python

EXIT_PASSED = 42
_COMPILE_S, _RUN_S = 60.0, 10.0
_MEMORY_MB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """How to run a program: `{file}` and `{folder}` stand in commands for where it lies."""

    name: str
    file: str
    run: tuple[str, ...]
    compile: tuple[str, ...] = ()
    beginning: str = ""
    ending: str = ""
    memory_mb: int = _MEMORY_MB


def _row(name: str, file: str, run: str, *, compile: str = "", beginning: str = "", ending: str = "",
         memory_mb: int = _MEMORY_MB) -> Runtime:  # fmt: skip
    return Runtime(
        name=name,
        file=file,
        run=tuple(run.split()),
        compile=tuple(compile.split()),
        beginning=beginning,
        ending=ending,
        memory_mb=memory_mb,
    )


# What Node prints of a failed assertion ends nothing; here it does.
_NODE_ASSERT = "console.assert = (ok, ...said) => { if (!ok) throw new Error(said.join(' ')); };"

RUNTIMES: dict[str, Runtime] = {
    row.name: row
    for row in (
        _row("c", "program.c", "{folder}/program", compile="gcc -w -o {folder}/program {file} -lm"),
        _row("cpp", "program.cpp", "{folder}/program", compile="g++ -w -std=c++17 -o {folder}/program {file} -lm"),
        _row("java", "Program.java", "java -ea -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 {file}", memory_mb=0),
        _row("javascript", "program.js", "node --max-old-space-size=512 {file}", beginning=_NODE_ASSERT,
             ending=f"process.exitCode = {EXIT_PASSED};", memory_mb=0),
        _row("lua", "program.lua", "lua {file}", ending=f"os.exit({EXIT_PASSED})"),
        _row("perl", "program.pl", "perl {file}", ending=f"exit({EXIT_PASSED});"),
        _row("php", "program.php", "php {file}", ending=f"exit({EXIT_PASSED});"),
        _row("r", "program.R", "Rscript {file}", ending=f"quit(status = {EXIT_PASSED})"),
        _row("ruby", "program.rb", "ruby {file}", ending=f"exit({EXIT_PASSED})"),
        _row("rust", "program.rs", "{folder}/program",
             compile="rustc --test --edition 2021 -A warnings -o {folder}/program {file}"),
        _row("shell", "program.sh", "bash {file}", ending=f"exit {EXIT_PASSED}"),
        _row("tcl", "program.tcl", "tclsh {file}", ending=f"exit {EXIT_PASSED}"),
        _row("vimscript", "program.vim", "vim -N -es -u NONE -i NONE -S {file}"),
    )
}  # fmt: skip
PYTHON = Runtime(name="python", file="program.py", run=())


def of(name: str) -> Runtime | None:
    """The runtime of a name when this machine has it."""
    if name == PYTHON.name:
        return PYTHON
    row = RUNTIMES.get(name)
    if row is None or shutil.which((row.compile or row.run)[0]) is None:
        return None
    return row


def run(runtime: Runtime, program: str) -> Verdict:
    """Compile if need be, and run; blocks until the program has ended or was killed."""
    if runtime is PYTHON:
        return run_python(program)
    with tempfile.TemporaryDirectory(prefix="midfill-eval-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        file = folder / runtime.file
        text = "\n".join(part for part in (runtime.beginning, program, runtime.ending) if part)
        file.write_text(f"{text}\n", encoding="utf-8", errors="replace")
        if runtime.compile:
            code = run_command(_filled(runtime.compile, file), folder, trusted=True, timeout_s=_COMPILE_S)
            if code != os.EX_OK:
                return Verdict(False, "does not compile" if code is not None else "timeout in the compiler")
        command = _filled(runtime.run, file)
        code = run_command(command, folder, trusted=False, memory_mb=runtime.memory_mb, timeout_s=_RUN_S)
        return _verdict(code, EXIT_PASSED if runtime.ending else os.EX_OK)


def _filled(command: tuple[str, ...], file: Path) -> list[str]:
    return [word.format(file=file, folder=file.parent) for word in command]


def _verdict(code: int | None, passed: int) -> Verdict:
    if code is None:
        return Verdict(False, "timeout")
    if code < 0:
        return Verdict(False, f"signal {-code}")
    return Verdict(True, "") if code == passed else Verdict(False, f"exit code {code}")
