"""How many cores the control groups of a container leave this process: threads beyond them only wait for each other.

A quota is no affinity: of 64 visible cores a container with `--cpus=2` may use all for a moment, and is stopped for
the rest of each period then. Linux counts the quota in every group from the process's own up to the root: version 2
in `cpu.max` ("150000 100000" microseconds of each period, or "max"), version 1 in `cpu.cfs_quota_us` (-1: none) and
`cpu.cfs_period_us`. Both may be there, side by side.

Rules: pure over the folder that stands for "/"; what is missing or cannot be understood limits nothing.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_PERIOD_US = 100_000  # the kernel's default


def quota_cores(root: Path = Path("/")) -> int | None:
    """Cores' worth of time, rounded up, that this process's groups allow; None when they limit nothing."""
    mounts = list(_mounts(_read(root / "proc/self/mountinfo")))
    limits = [
        _cores(*_LIMIT_OF[kind](root / str(folder).lstrip("/")))
        for kind, group in _own_groups(_read(root / "proc/self/cgroup")).items()
        for folder in _groups_seen(group, [(mounted, point) for of, mounted, point in mounts if of == kind])
    ]
    return min((cores for cores in limits if cores is not None), default=None)


def _own_groups(text: str) -> dict[str, str]:
    """The process's group by kind of hierarchy: of version 1 that of the controller `cpu`."""
    groups: dict[str, str] = {}
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            groups["cgroup2"] = path
        elif "cpu" in controllers.split(","):
            groups["cgroup"] = path
    return groups


def _mounts(text: str) -> Iterator[tuple[str, str, str]]:
    """Where hierarchies can be seen: kind, the group that is mounted, and the place."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind, options = before.split(), after.split(" ")[0], after.split(" ")[-1].split(",")
        if len(fields) > 4 and (kind == "cgroup2" or (kind == "cgroup" and "cpu" in options)):
            yield kind, _unescaped(fields[3]), _unescaped(fields[4])


def _groups_seen(group: str, mounts: list[tuple[str, str]]) -> Iterator[PurePosixPath]:
    """The folders of a group and of all above it, below every place where they are mounted.

    Where none of the mounts has the group below it, its path is told as it is outside of a container, and what is
    mounted is the group itself.
    """
    path = PurePosixPath(group)
    seen = [(path.relative_to(mounted), point) for mounted, point in mounts if path.is_relative_to(mounted)]
    for below, point in seen or [(PurePosixPath(), point) for _, point in mounts]:
        yield from (PurePosixPath(point) / each for each in (below, *below.parents))


def _limit_v2(folder: Path) -> tuple[str, str]:
    quota, _, period = _read(folder / "cpu.max").strip().partition(" ")
    return quota, period


def _limit_v1(folder: Path) -> tuple[str, str]:
    return _read(folder / "cpu.cfs_quota_us").strip(), _read(folder / "cpu.cfs_period_us").strip()


_LIMIT_OF = {"cgroup2": _limit_v2, "cgroup": _limit_v1}


def _cores(quota: str, period: str) -> int | None:
    try:
        quota_us, period_us = int(quota), int(period or _PERIOD_US)
    except ValueError:  # "max", or no such file
        return None
    return max(1, -(-quota_us // period_us)) if quota_us > 0 and period_us > 0 else None


def _unescaped(field: str) -> str:
    """A path of mountinfo, in which spaces and the like are octal."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="surrogateescape")
    except (OSError, ValueError):
        return ""
