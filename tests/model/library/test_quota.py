"""The processor time that control groups allow, read from made-up folders of all the shapes that containers have."""

import os
import sys
from pathlib import Path

import pytest

from model.library.quota import quota_cores
from model.library.system import n_cores

V2_MOUNT = "31 23 0:28 {mounted} {point} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"
V1_MOUNT = "32 31 0:29 {mounted} {point} rw,relatime - cgroup cgroup rw,cpu,cpuacct"
CPUSET_MOUNT = "33 31 0:30 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset"
DISK = "23 1 254:0 / / rw,relatime - ext4 /dev/vda rw"


def machine(root: Path, groups: str, mounts: list[str], files: dict[str, str]) -> Path:
    """A root folder: what /proc says of this process, and the groups' files."""
    files = {"proc/self/cgroup": groups, "proc/self/mountinfo": "\n".join([DISK, *mounts, ""]), **files}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def v2(root: Path, group: str, limits: dict[str, str], mounted: str = "/", point: str = "/sys/fs/cgroup") -> Path:
    files = {f"sys/fs/cgroup/{folder}/cpu.max": text for folder, text in limits.items()}
    return machine(root, f"0::{group}\n", [V2_MOUNT.format(mounted=mounted, point=point)], files)


def v1(root: Path, group: str, limits: dict[str, tuple[str, str]], mounted: str = "/") -> Path:
    point, files = "/sys/fs/cgroup/cpu,cpuacct", {}
    for folder, (quota, period) in limits.items():
        files[f"{point[1:]}/{folder}/cpu.cfs_quota_us"] = quota + "\n"
        files[f"{point[1:]}/{folder}/cpu.cfs_period_us"] = period + "\n"
    groups = f"12:cpuset:/elsewhere\n4:cpu,cpuacct:{group}\n1:name=systemd:/a\n0::/a\n"
    return machine(root, groups, [CPUSET_MOUNT, V1_MOUNT.format(mounted=mounted, point=point)], files)


@pytest.mark.parametrize(
    ("limit", "cores"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("50000 100000\n", 1),
        ("1000 100000\n", 1),
        ("100001 100000\n", 2),
        ("30000 10000\n", 3),
        ("400000", 4),
        ("max 100000\n", None),
        ("max\n", None),
        ("", None),
        ("0 100000", None),
        ("100000 0", None),
        ("many 100000", None),
        ("\ud800", None),
    ],
)
def test_a_quota_is_rounded_up_to_cores(limit: str, cores: int | None, tmp_path: Path) -> None:
    v2(tmp_path, "/", {})
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu.max").write_bytes(limit.encode(errors="surrogatepass"))
    assert quota_cores(tmp_path) == cores


@pytest.mark.parametrize(
    ("limits", "cores"),
    [
        ({"user.slice/1000/app": "300000 100000"}, 3),
        ({"user.slice/1000": "300000 100000", "user.slice/1000/app": "max 100000"}, 3),
        ({"user.slice": "100000 100000", "user.slice/1000/app": "800000 100000"}, 1),
        ({"user.slice": "800000 100000", "user.slice/1000/app": "100000 100000"}, 1),
        ({".": "200000 100000", "user.slice": "800000 100000"}, 2),
        ({"another": "100000 100000", "user.slice/1000/app/child": "100000 100000"}, None),
    ],
)
def test_the_least_of_a_group_and_all_above_it_counts(
    limits: dict[str, str], cores: int | None, tmp_path: Path
) -> None:
    assert quota_cores(v2(tmp_path, "/user.slice/1000/app", limits)) == cores


@pytest.mark.parametrize(
    ("limits", "cores"),
    [
        ({"docker/c1": ("250000", "100000")}, 3),
        ({"docker/c1": ("-1", "100000")}, None),
        ({"docker": ("100000", "50000"), "docker/c1": ("-1", "100000")}, 2),
        ({"docker": ("600000", "100000"), "docker/c1": ("10000", "100000")}, 1),
        ({"docker/c1": ("400000", "")}, 4),
        ({"elsewhere": ("100000", "100000")}, None),
    ],
)
def test_version_1_has_a_quota_and_a_period(
    limits: dict[str, tuple[str, str]], cores: int | None, tmp_path: Path
) -> None:
    assert quota_cores(v1(tmp_path, "/docker/c1", limits)) == cores


def test_a_container_sees_its_own_group_at_the_top(tmp_path: Path) -> None:
    """Without a namespace of groups the path is the host's, and what is mounted is the container's."""
    assert quota_cores(v1(tmp_path / "1", "/docker/c1", {".": ("100000", "100000")}, mounted="/docker/c1")) == 1
    assert quota_cores(v1(tmp_path / "2", "/docker/c1/x", {"x": ("100000", "100000")}, mounted="/docker/c1")) == 1
    assert quota_cores(v2(tmp_path / "3", "/", {".": "300000 100000"})) == 3
    assert quota_cores(v2(tmp_path / "4", "/../../c1", {".": "300000 100000"}, mounted="/../..")) == 3
    assert quota_cores(v2(tmp_path / "5", "/system/docker-c1", {".": "300000 100000"}, mounted="/another/name")) == 3


def test_another_groups_mount_limits_nothing(tmp_path: Path) -> None:
    mounts = [V2_MOUNT.format(mounted="/", point="/sys/fs/cgroup"), V2_MOUNT.format(mounted="/c2", point="/mnt")]
    files = {"mnt/cpu.max": "100000 100000", "sys/fs/cgroup/c1/cpu.max": "500000 100000"}
    assert quota_cores(machine(tmp_path, "0::/c1\n", mounts, files)) == 5


def test_both_versions_count_where_both_are_there(tmp_path: Path) -> None:
    mounts = [
        V1_MOUNT.format(mounted="/", point="/sys/fs/cgroup/cpu"),
        V2_MOUNT.format(mounted="/", point="/sys/fs/cgroup/unified"),
    ]
    files = {"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "700000", "sys/fs/cgroup/unified/b/cpu.max": "600000 100000"}
    assert quota_cores(machine(tmp_path, "3:cpu:/a\n0::/b\n", mounts, files)) == 6


def test_a_place_with_a_space_and_a_group_with_a_colon(tmp_path: Path) -> None:
    files = {"c groups/a:b/cpu.max": "100000 100000"}
    mounts = [V2_MOUNT.format(mounted="/", point="/c\\040groups")]
    assert quota_cores(machine(tmp_path, "0::/a:b\n", mounts, files)) == 1


def test_what_is_missing_limits_nothing(tmp_path: Path) -> None:
    assert quota_cores(tmp_path) is None
    assert quota_cores(machine(tmp_path / "a", "0::/a\n", [], {})) is None
    assert quota_cores(machine(tmp_path / "b", "nonsense\n\n::\n", ["- -", " - cgroup2"], {})) is None


@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
@pytest.mark.parametrize("quota", [1, 100_000])
def test_threads_are_no_more_than_cores_and_quota(quota: int, tmp_path: Path) -> None:
    free = n_cores(tmp_path)
    assert free == len(os.sched_getaffinity(0))
    assert n_cores(v2(tmp_path / "root", "/", {".": f"{quota}00000 100000"})) == min(free, quota)
