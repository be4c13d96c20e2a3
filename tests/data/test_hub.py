from __future__ import annotations

from pathlib import Path

import datasets
import huggingface_hub.constants
import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, Features, Value
from datasets import Sequence as ListOf

from nbtune.data.formats import read_file
from nbtune.data.hub import from_dataset, load_hub, load_saved
from nbtune.errors import DataError

FEATURES = Features(
    {
        "text": Value("string"),
        "label": ClassLabel(names=["neg", "pos"]),
        "tags": ListOf(ClassLabel(names=["O", "B-X"])),
        "spans": [{"start": Value("int64"), "type": ClassLabel(names=["PER", "LOC"])}],
    }
)
NAMED = {
    "text": ["a", "b", "c"],
    "label": ["pos", None, "neg"],
    "tags": [["O", "B-X"], [], ["B-X"]],
    "spans": [[{"start": 0, "type": "LOC"}], [], []],
}


@pytest.fixture
def dataset() -> Dataset:
    return Dataset.from_dict(
        {
            "text": ["a", "b", "c"],
            "label": [1, -1, 0],
            "tags": [[0, 1], [], [1]],
            "spans": [[{"start": 0, "type": 1}], [], []],
        },
        features=FEATURES,
    )


def test_class_labels_become_names_also_inside_lists_and_dicts(dataset: Dataset) -> None:
    assert from_dataset(dataset, "d").frame.to_dict("list") == NAMED


def test_a_selected_dataset_gives_only_its_rows(dataset: Dataset) -> None:
    assert from_dataset(dataset.select([2, 0]), "d").frame["text"].tolist() == ["c", "a"]
    assert from_dataset(dataset.with_format("numpy"), "d").frame.to_dict("list") == NAMED


def test_parquet_that_datasets_wrote_keeps_the_names(dataset: Dataset, tmp_path: Path) -> None:
    dataset.to_parquet(tmp_path / "train.parquet")
    assert read_file(tmp_path / "train.parquet")["whole"].frame.to_dict("list") == NAMED


def test_a_saved_dataset_is_opened(dataset: Dataset, tmp_path: Path) -> None:
    dataset.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": dataset, "test": dataset}).save_to_disk(tmp_path / "two")
    one, two = load_saved(tmp_path / "one"), load_saved(tmp_path / "two")
    assert one is not None
    assert two is not None
    assert one["whole"].frame.to_dict("list") == NAMED
    assert set(two) == {"train", "test"}
    assert load_saved(tmp_path) is None


def test_a_damaged_saved_dataset_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text("{}")
    with pytest.raises(DataError, match=r"the data set saved in '.*' cannot be loaded"):
        load_saved(tmp_path)


def test_a_hub_data_set_is_loaded_through_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "reviews"  # datasets opens a folder by the same call as a name
    folder.mkdir()
    pd.DataFrame({"text": ["a", "b"], "label": ["x", "y"]}).to_csv(folder / "train.csv", index=False)
    pd.DataFrame({"text": ["c"], "label": ["x"]}).to_csv(folder / "test.csv", index=False)
    tables = load_hub(f"hub:{folder}")
    assert {split: table.frame["text"].tolist() for split, table in tables.items()} == {
        "train": ["a", "b"],
        "test": ["c"],
    }
    assert tables["train"].description == f"hub:{folder} train (2 rows)"


def test_without_a_network_the_name_and_the_remedy_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError) as caught:
        load_hub("hub:nobody/nothing:en")
    assert caught.value.message.startswith("'hub:nobody/nothing:en' could not be fetched from the hub")
    assert caught.value.hint == "check the name and the network, or give a local file or folder"


def test_a_hub_source_needs_a_name() -> None:
    with pytest.raises(DataError, match="'hub:' names no data set"):
        load_hub("hub:")
