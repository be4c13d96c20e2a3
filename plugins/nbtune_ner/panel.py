"""The dashboard's panel: a whole document, its entities marked, and an index of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbtune.api import Ask, DataError, Example, Panel
from nbtune_ner.reading import read_text
from nbtune_ner.rendering import render_entities

if TYPE_CHECKING:
    from nbtune.api import Model


def document_panel() -> Panel:
    words = "Paste a document: its entities are marked, and counted by type and by name."
    return Panel("Document", (Ask("text", "document", lines=10),), draw, words)


def draw(model: Model, given: Mapping[str, str]) -> list[Any]:
    import pandas as pd

    if not given["text"].strip():
        raise DataError("there is no text", "paste one")
    example = Example(read_text(given["text"]), row=0)
    (prediction,) = model.predict(model.task.arrange([example], model.inventory, "predict"))
    found = pd.DataFrame([(each["type"], each["text"], each["confidence"]) for each in prediction["entities"]])
    marked = render_entities(example, prediction)
    if found.empty:
        return [marked, "no entities were found"]
    named = found.set_axis(["type", "entity", "confidence"], axis=1)
    types = named["type"].value_counts().rename_axis("type").reset_index(name="count")
    index = (
        named.groupby(["type", "entity"], sort=False)["confidence"]
        .agg(["size", "mean"])
        .reset_index()
        .sort_values(["size", "mean"], ascending=False)
        .set_axis(["type", "entity", "count", "mean confidence"], axis=1)
    )
    return [marked, types, index]
