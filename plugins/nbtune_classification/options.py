"""The settings of classification, written beside the common ones."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from nbtune.api import TaskOptions


class ClassificationOptions(TaskOptions):
    """How labels are written in the table."""

    multi_label: Literal["auto"] | bool = Field(
        default="auto",
        description="whether a row may have several labels or none; auto looks at the label column",
    )
    delimiter: str | None = Field(
        default=None, min_length=1, description='what separates several labels in one cell, such as ";"'
    )
    label_columns: tuple[str, ...] = Field(
        default=(), description="columns of 0 and 1, one a label, instead of one label column"
    )
    label_names: dict[str, str] = Field(
        default={}, description="names of labels that the data writes as numbers: a list from 0 on, or a table"
    )

    @field_validator("label_names", mode="before")
    @classmethod
    def _number_from_zero(cls, names: Any) -> Any:
        if isinstance(names, (list, tuple)):
            return {str(number): name for number, name in enumerate(names)}
        if isinstance(names, dict):
            return {str(written): name for written, name in names.items()}
        return names
