"""What the container allows, from files as the kernel writes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nbtune.notebook import machine


def test_the_containers_limit_counts_in_both_versions_of_cgroups(tmp_path: Path) -> None:
    two, one = tmp_path / "two", tmp_path / "one"
    two.mkdir()
    (two / "memory.max").write_text("2147483648\n")
    (one / "memory").mkdir(parents=True)
    (one / "memory" / "memory.limit_in_bytes").write_text("1073741824\n")
    assert machine.memory_limit(two) == (2**31, "the container's limit")
    assert machine.memory_limit(one) == (2**30, "the container's limit")


@pytest.mark.parametrize("written", ["max\n", "9223372036854771712\n"])
def test_without_a_limit_it_is_the_machines_memory(tmp_path: Path, written: str) -> None:
    (tmp_path / "memory.max").write_text(written)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert machine.memory_limit(tmp_path) == (total, "the machine's memory")


def test_the_page_cache_is_not_in_use(tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.stat").write_text("anon 300\ninactive_file 600\n")
    assert machine.memory_used(tmp_path) == 400
    assert machine.memory_used(tmp_path / "missing") is None


def test_space_is_found_for_folders_that_are_not_there_yet(tmp_path: Path) -> None:
    assert machine.existing(tmp_path / "a" / "b") == tmp_path
    assert machine.free_space(tmp_path / "a" / "b") > 0
