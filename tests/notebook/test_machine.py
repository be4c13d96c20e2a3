"""What the container allows, from files as the kernel writes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nbtune.notebook import machine
from nbtune.training import cgroups


def wrote(folder: Path, **files: str) -> Path:
    """A group with its files, `memory_max` for `memory.max`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("_", ".", 1)).write_text(content)
    return folder


def test_the_containers_limit_counts_in_both_versions_of_cgroups(tmp_path: Path) -> None:
    wrote(tmp_path / "two", memory_max="2147483648\n")
    wrote(tmp_path / "one" / "memory", memory_limit_in_bytes="1073741824\n")
    assert machine.memory_limit(tmp_path / "two", tmp_path / "none") == (2**31, "the container's limit")
    assert machine.memory_limit(tmp_path / "one", tmp_path / "none") == (2**30, "the container's limit")


@pytest.mark.parametrize("written", ["max\n", "9223372036854771712\n"])
def test_without_a_limit_it_is_the_machines_memory(tmp_path: Path, written: str) -> None:
    wrote(tmp_path, memory_max=written)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert machine.memory_limit(tmp_path, tmp_path / "none") == (total, "the machine's memory")


def test_the_tightest_limit_on_the_way_to_the_root_holds(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/user.slice/session\n")
    root = wrote(tmp_path / "root", memory_max="max\n", cpu_max="max 100000\n")
    wrote(root / "user.slice", memory_max="1073741824\n", cpu_max="50000 100000\n")
    wrote(root / "user.slice" / "session", memory_max="2147483648\n", cpu_max="200000 100000\n")
    assert machine.memory_limit(root, own)[0] == 2**30
    assert cgroups.cores(root, own) == 0.5


def test_a_group_of_version_one_is_found_by_its_controller(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/\n")
    wrote(tmp_path / "root" / "memory" / "docker" / "abc", memory_limit_in_bytes="1073741824\n")
    wrote(tmp_path / "root" / "cpu" / "docker" / "abc", cpu_cfs_quota_us="150000\n", cpu_cfs_period_us="100000\n")
    assert machine.memory_limit(tmp_path / "root", own)[0] == 2**30
    assert cgroups.cores(tmp_path / "root", own) == 1.5


def test_a_path_of_the_host_that_is_not_mounted_falls_back_to_the_root(tmp_path: Path) -> None:
    own = tmp_path / "own"
    for path in ("/docker/of-the-host", "/../../elsewhere"):
        own.write_text(f"0::{path}\n")
        root = wrote(tmp_path / "root", memory_max="1073741824\n", cpu_max="150000 100000\n")
        assert machine.memory_limit(root, own)[0] == 2**30
        assert cgroups.cores(root, own) == 1.5


def test_nothing_limits_where_there_are_no_groups(tmp_path: Path) -> None:
    assert cgroups.cores(tmp_path / "none", tmp_path / "none") is None
    assert cgroups.memory_limits(tmp_path / "none", tmp_path / "none") == []


def test_free_is_the_least_that_any_limit_and_the_machine_leave_and_the_page_cache_is_free(tmp_path: Path) -> None:
    facts = tmp_path / "meminfo"
    facts.write_text("MemTotal: 8000 kB\nMemAvailable:    4 kB\n")
    root = wrote(tmp_path / "root", memory_max="4000\n", memory_current="1500\n")
    wrote(root, memory_stat="anon 300\ninactive_file 600\n")
    assert machine.memory_free(root, tmp_path / "none", facts) == 4000 - (1500 - 600)
    facts.write_text("MemAvailable:    2 kB\n")
    assert machine.memory_free(root, tmp_path / "none", facts) == 2048
    assert machine.memory_free(tmp_path / "none", tmp_path / "none", tmp_path / "none") is None


def test_space_is_found_for_folders_that_are_not_there_yet(tmp_path: Path) -> None:
    assert machine.existing(tmp_path / "a" / "b") == tmp_path
    assert machine.free_space(tmp_path / "a" / "b") > 0
