"""From what the user gave as data to examples in parts, read, split and checked."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbtune.data.checks import check, ranked, refuse
from nbtune.data.columns import Overrides, map_columns
from nbtune.data.correcting import apply
from nbtune.data.fixes import Fixed, mend, notes, repairs
from nbtune.data.groups import groupings, tie
from nbtune.data.packing import PackedExamples, pack
from nbtune.data.reading import BadRows, read_examples
from nbtune.data.sources import open_source
from nbtune.data.splits import split
from nbtune.data.tables import Table, Tables
from nbtune.errors import DataError, SpecError
from nbtune.tasks.task import Task
from nbtune.values import ColumnMap, Finding, Inventory, Part


@dataclass(frozen=True)
class Prepared:
    """Data ready to be encoded.

    `parts` are as the task arranged them for its head, `raw` one example a row as read. `data` describes the source
    in words; `made_split` says how parts that were not given were made ("" where all were); `fixes` what was changed;
    `corrections` what was taken from a file of corrected answers.
    """

    parts: dict[Part, PackedExamples]
    raw: dict[Part, PackedExamples]
    inventory: Inventory
    columns: ColumnMap
    findings: tuple[Finding, ...]
    data: str
    made_split: str
    fixes: tuple[Fixed, ...] = ()
    corrections: Mapping[str, Any] | None = None


def prepare(
    task: Task,
    *,
    data: Any,
    validation: Any = None,
    test: Any = None,
    columns: Overrides | None = None,
    bad_rows: BadRows = "error",
    validation_fraction: float = 0.1,
    test_fraction: float = 0.0,
    seed: int = 0,
    fix: Collection[str] = (),
    thorough: bool = False,
    namespace: Mapping[str, Any] | None = None,
    corrections: str = "",
    group: str = "",
) -> Prepared:
    """Read `data` (and `validation`, `test`), do the fixes, make the parts that are missing, and check them all.

    Each may be a DataFrame, a list of dicts, a `datasets` object, a path, "hub:...", "sample:..." or the name of a
    variable in `namespace`. Test data is made only where `test_fraction` is positive. `corrections` is the path of a
    file of corrected answers: they do not change the split, so that runs with and without them can be compared. `group`
    is a column whose values tie rows together: they are never parted, and intervals are over them.

    `thorough` is for who only wants to look: slow checks are made of large data too, and findings that would stop a
    training are given with the others.

    Raises:
        DataError: the data cannot be found, read or learned from.
        SpecError: the fractions leave no training data.
    """
    if not (0 < validation_fraction < 1 and 0 <= test_fraction < 1 and validation_fraction + test_fraction < 1):
        raise SpecError(
            f"validation_fraction {validation_fraction} and test_fraction {test_fraction} leave no training data",
            "give fractions above 0 that add up to less than 1",
        )
    tables, implied = _gather(task, data, validation, test, namespace)
    raw, chosen, noticed, record = _read_parts(task, tables, implied, columns, bad_rows, fix)
    if group:
        raw = {part: tie(task, examples, tables[part], group) for part, examples in raw.items()}
    described = _described(data, tables, implied)
    groups = groupings(tables, chosen)
    del tables  # as large as the examples
    raw, done = mend(task, raw, fix)
    record += done
    raw, made = _complete(task, raw, {"validation": validation_fraction, "test": test_fraction}, seed)
    facts = None
    if corrections:
        corrected = apply(task, raw, Path(corrections).expanduser())
        raw, facts, noticed = corrected.parts, corrected.facts, [*noticed, *corrected.findings]
        described = f"{described}, {facts['rows']:,} answers corrected by {Path(corrections).name}"
    inventory = task.inventory(raw["train"])
    findings = ranked([*notes(record), *noticed, *check(task, raw, inventory, groups=groups, thorough=thorough)])
    if not thorough:
        refuse(findings)
    parts = {part: pack(task.arrange(examples, inventory, part)) for part, examples in raw.items()}
    for part, examples in parts.items():
        if not examples:
            raise DataError(f"the {part} data has no example that the task {task.name!r} can use", "give more rows")
    return Prepared(parts, raw, inventory, chosen, findings, described, made, tuple(record), facts)


def _gather(
    task: Task, data: Any, validation: Any, test: Any, namespace: Mapping[str, Any] | None
) -> tuple[dict[Part, Table], set[Part]]:
    """The table of each part, and which parts came with `data` without being asked for."""
    found = open_source(data, task, namespace=namespace)
    train = found.get("train", found.get("whole"))
    if train is None:
        raise DataError(f"there is no training data; found: {', '.join(found)}", "name a file or split train")
    tables: dict[Part, Table] = {"train": train}
    implied: set[Part] = set()
    given: tuple[tuple[Part, Any], ...] = (("validation", validation), ("test", test))
    for part, source in given:
        if source is not None:
            tables[part] = _single(open_source(source, task, namespace=namespace), part)
        elif part in found:
            tables[part] = found[part]
            implied.add(part)
    return tables, implied


def _described(data: Any, tables: Mapping[Part, Table], implied: set[Part]) -> str:
    """One source with its parts in a few words; otherwise each table."""
    if isinstance(data, (str, os.PathLike)) and implied == set(tables) - {"train"} and implied:
        sizes = ", ".join(f"{part} {len(table):,}" for part, table in tables.items())
        given = os.fspath(data)
        name = given if given.startswith(("hub:", "sample:")) else Path(given).name or given
        return f"{name} ({sizes} rows)"
    return ", ".join(table.description for table in tables.values())


def _single(tables: Tables, part: Part) -> Table:
    chosen = tables.get(part, tables.get("whole"))
    if chosen is None:
        raise DataError(
            f"what is given as {part} data has no {part} part; it has: {', '.join(tables)}", "give one file or split"
        )
    return chosen


def _read_parts(
    task: Task,
    tables: dict[Part, Table],
    implied: set[Part],
    overrides: Overrides | None,
    bad_rows: BadRows,
    fix: Collection[str],
) -> tuple[dict[Part, PackedExamples], ColumnMap, list[Finding], list[Fixed]]:
    chosen = map_columns(task, tables["train"], overrides=overrides)
    raw: dict[Part, PackedExamples] = {}
    noticed: list[Finding] = []
    record: list[Fixed] = []
    order: Sequence[Part] = ("train", "validation", "test")
    for part in order:
        if part not in tables:
            continue
        table = tables[part]
        if part == "test" and part in implied and not _has_targets(task, table, chosen):
            note = f"{table.name} has no labels, as is usual for contests; it is left out"
            noticed.append(Finding("note", note, count=len(table)))
            del tables[part]
            continue
        own = chosen if part == "train" else map_columns(task, table, part=part, overrides=overrides, like=chosen)
        raw[part], found = read_examples(task, table, own, part, bad_rows=bad_rows)
        left, repaired = repairs([*found, *task.check_table(table.frame, own, part)], part, fix)
        noticed += left
        record += repaired
    return raw, chosen, noticed, record


def _has_targets(task: Task, table: Table, columns: ColumnMap) -> bool:
    """Whether any target column of the training data is there with anything in it."""
    names = [name for column in task.columns if column.target for name in columns.many(column.name)]
    present = [name for name in names if name in table.frame.columns]
    return not names or any(bool(table.frame[name].notna().any()) for name in present)


def _complete(
    task: Task, raw: dict[Part, PackedExamples], fractions: Mapping[Part, float], seed: int
) -> tuple[dict[Part, PackedExamples], str]:
    """Validation (and test) data from the training data where it was not given."""
    wanted = {part: fraction for part, fraction in fractions.items() if part not in raw and fraction > 0}
    if not wanted:
        return raw, ""
    made, words = split(task, raw["train"], wanted, seed)
    order: Sequence[Part] = ("train", "validation", "test")
    both = {**raw, **made}
    return {part: both[part] for part in order if part in both}, words
