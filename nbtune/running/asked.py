"""What a run is asked about: the data it kept, or new data, read as its training data was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbtune.drawing import Bundle
from nbtune.errors import RunError, SpecError, did_you_mean
from nbtune.running.drawn import in_words
from nbtune.running.folder import RunFolder
from nbtune.values import ColumnMap, Example, Part

if TYPE_CHECKING:
    import pandas as pd

    from nbtune.running.model import Model
    from nbtune.tasks.task import Task


@dataclass(frozen=True, slots=True)
class Answered:
    """Examples as they were read and as the task arranged them, with the model's answers to the latter.

    `where` says in words what data it was, `notes` what to bear in mind of it.
    """

    model: Model
    read: Sequence[Example]
    examples: Sequence[Example]
    predictions: Sequence[Any]
    where: str
    notes: tuple[str, ...]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        said = f"{len(self.predictions):,} answers of {self.model.folder.name} to {self.where}"
        return in_words(said, self.notes)._repr_mimebundle_()


def kept(folder: RunFolder, part: Part) -> Sequence[Example] | None:
    """The examples of a part as the run saw them; None if it had no such part."""
    from nbtune.running.snapshot import read_examples

    return read_examples(folder.path, part)


def held_out_part(folder: RunFolder) -> tuple[Part, int, str]:
    """The run's test part, or else its validation part: name, size and fingerprint, without reading it.

    Raises:
        RunError: the run kept neither.
    """
    content = folder.read_json("data.json") or {}
    for part in ("test", "validation"):
        facts = content.get("parts", {}).get(part)
        if facts and facts["examples"]:
            return part, facts["examples"], facts["sha256"]
    raise RunError(f"the run {folder.name!r} kept no data to score", "give some: data=..., in a magic --data")


def held_out(folder: RunFolder) -> tuple[Sequence[Example], Part]:
    """The examples of `held_out_part`, and which part it is.

    Raises:
        RunError: there are none.
    """
    part, _, _ = held_out_part(folder)
    examples = kept(folder, part)
    if examples is None:
        raise RunError(f"the kept {part} data of the run {folder.name!r} is gone", "give the data again")
    return examples, part


def read(
    folder: RunFolder,
    model: Model,
    data: Any,
    part: Part,
    *,
    columns: Mapping[str, str | list[str]] | None = None,
    bad_rows: str = "error",
    namespace: Mapping[str, Any] | None = None,
) -> Sequence[Example]:
    """The examples of new data; its columns are taken for what they were taken for in training.

    Raises:
        DataError: the data cannot be read, or holds labels the model does not know.
    """
    from nbtune.data.scoring import read_for_scoring

    spec = folder.spec()
    return read_for_scoring(
        model.task,
        data,
        part=part,
        columns={**spec.columns, **(columns or {})},
        like=_trained_columns(folder),
        inventory=model.inventory,
        namespace=namespace,
        bad_rows=bad_rows,  # type: ignore[arg-type]  # checked there
        fix=spec.fix,
        group=spec.group,
    )


def also_in(task: Task, examples: Sequence[Example], train: Sequence[Example]) -> NDArray[np.bool_]:
    """Which examples, as they were read, training showed too."""
    from nbtune.data.packing import pack
    from nbtune.data.survey import identities

    return np.isin(identities(task, pack(examples)), identities(task, pack(train)))


def row_by_row(read: Sequence[Example], arranged: Sequence[Example]) -> bool:
    """Whether the task took the rows as they are, and did not regroup them."""
    return len(read) == len(arranged) and all(one.row == other.row for one, other in zip(read, arranged, strict=True))


def cells(task: Task, data: Any, names: Sequence[str], namespace: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The columns of these names, a value for each row of the data.

    Raises:
        SpecError: there is no such column.
        DataError: the data cannot be read.
    """
    from nbtune.data.scoring import scoring_table

    if not names:
        return {}
    frame = scoring_table(task, data, part="test", namespace=namespace).frame
    for name in names:
        if name not in frame.columns:
            raise SpecError(f"the data has no column {name!r}", did_you_mean(name, map(str, frame.columns)))
    return {name: frame[name].tolist() for name in names}


def kept_cells(examples: Sequence[Example], names: Sequence[str]) -> dict[str, list[Any]]:
    """The same of examples that the run kept: it kept only what the task reads.

    Raises:
        SpecError: there is no such column.
    """
    known = sorted({name for example in examples for name in example.inputs})
    for name in names:
        if name not in known:
            words = f"the run kept no column {name!r} of its data, only what the task reads: {', '.join(known)}"
            raise SpecError(words, "give the data: data=..., in a magic --data")
    return {name: [example.inputs.get(name) for example in examples] for name in names}


def remarks(folder: RunFolder) -> tuple[str, ...]:
    """What is done to data that is scored, beyond reading it."""
    if "normalise_text" not in folder.spec().fix:
        return ()
    return ("texts were normalised as in training (fix = ['normalise_text']); no row was dropped",)


def corrected(task: Task, examples: Sequence[Example], file: str) -> tuple[Sequence[Example], tuple[str, ...]]:
    """Examples of new data with the answers that a file of corrections has for them, and a note where that changed any.
    Without a file they are as they were.

    Raises:
        DataError: a line of the file is no entry.
    """
    from nbtune.data.correcting import apply

    path = Path(file).expanduser()
    if not file:
        return examples, ()
    if not path.is_file():
        return examples, (f"the run's corrections ({file}) are not there: answers are those of the data",)
    found = apply(task, {"test": examples}, path)
    rows = found.facts["rows"]
    words = f"the answers of {rows:,} row{'' if rows == 1 else 's'} are those of {path.name}, the run's corrections"
    return found.parts["test"], (words,) if rows else ()


def described(data: Any) -> str:
    """The data in a word or two, for a report."""
    return str(data) if isinstance(data, (str, Path)) else type(data).__name__


def names_data(text: str, namespace: Mapping[str, Any] | None) -> bool:
    """Whether a string names data rather than being a text to predict."""
    if text.startswith(("hub:", "sample:")) or (namespace is not None and text in namespace):
        return True
    return len(text) < 1024 and "\n" not in text and Path(text).suffix != "" and Path(text).is_file()


def beside(data: Any, table: pd.DataFrame) -> pd.DataFrame:
    """Prediction columns beside the columns of a DataFrame that was given, keeping its index."""
    import pandas as pd

    if not isinstance(data, pd.DataFrame) or len(data) != len(table):
        return table
    added = table.set_index(data.index)
    wanted = [column for column in added.columns if column not in data.columns and column != "gold"]
    return pd.concat([data, added[wanted]], axis=1)


def _trained_columns(folder: RunFolder) -> ColumnMap | None:
    """The columns the training data had."""
    content = folder.read_json("data.json")
    if content is None:
        return None
    return ColumnMap({k: v if isinstance(v, str) else tuple(v) for k, v in content["columns"].items()})
