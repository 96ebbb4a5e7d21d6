"""Starting again as `python -I`, so that nothing of a workspace, or of where PYTHONPATH points, is imported for ours.

Rules: `os` and `sys`, which every interpreter has loaded before it runs us, are all that is imported here, and before
`isolate` is called nothing else is: an `argparse.py` beside the user's code is a stranger's, too.
"""

import os
import sys


def isolate(module: str) -> None:
    """Start again as `python -I -m module` with the same arguments, unless that is how we run.

    An editor starts the server in the workspace, a person the commands in a project, perhaps with a PYTHONPATH that
    points there. The process stays the same one (but on Windows), so its pipes, signals and exit code do.
    """
    if sys.flags.isolated:
        return
    # Isolation forgets all PYTHON* variables: what they say of our output holds.
    options = ["-u"] if os.environ.get("PYTHONUNBUFFERED") else []
    options += ["-X", "utf8"] if sys.flags.utf8_mode else []
    command = [sys.executable, "-I", *options, "-m", module, *sys.argv[1:]]
    if sys.platform == "win32":  # its execv starts another process, and ends this one at once
        import subprocess

        sys.exit(subprocess.call(command))
    os.execv(sys.executable, command)
