"""Encoded features kept on disk between runs, in the user's cache folder. What is not whole is never used.

An entry is a folder of columns with a manifest. It is written aside and renamed, and never changed afterwards, so
processes that build, read or remove the same entry do not disturb each other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from pathlib import Path
from typing import Any

from nbtune.data.encoding import FeatureSet
from nbtune.data.growing import FeatureColumns, InFile, read_back

FORMAT = 1
"""Of the entries; those of another format are built anew."""

_MANIFEST = "manifest.json"
_ABANDONED = 24 * 3600.0
"""Seconds after which what was being written aside has certainly no writer any more."""


class Damaged(Exception):  # noqa: N818  # no fault of the user's: the entry is built anew
    """An entry that is not what was once written."""


class FeatureCache:
    """The entries below `folder`, together at most `limit` bytes, the one used longest ago going first."""

    def __init__(self, folder: Path, limit: float) -> None:
        self.folder = folder
        self.limit = limit

    def find(self, key: str) -> FeatureSet | None:
        """The features kept under `key`, mapped into memory; None if there are none.

        Raises:
            Damaged: the entry is there, but not whole, of another format, or another's.
            OSError: it cannot be read.
        """
        entry = self.folder / key
        try:
            text = (entry / _MANIFEST).read_bytes()
        except FileNotFoundError:
            if entry.is_dir():
                raise Damaged("its manifest is missing") from None
            return None
        features = _opened(entry, key, text)
        with contextlib.suppress(OSError):  # a folder that may only be read still serves
            os.utime(entry / _MANIFEST)
        return features

    def writing(self, key: str) -> Writing:
        """A place to put the columns of a new entry.

        Raises:
            OSError: the folder cannot be made or written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        aside = self._aside(key)
        aside.mkdir()
        return Writing(self, key, aside)

    def discard(self, key: str) -> int:
        """Remove an entry; gives the bytes freed. Whoever has it open keeps it."""
        entry, aside = self.folder / key, self._aside(key)
        size = _size(entry)
        try:
            entry.rename(aside)  # so that nobody meets it half removed
        except OSError:
            return 0
        shutil.rmtree(aside, ignore_errors=True)
        return size

    def clear(self) -> int:
        """Remove everything; gives the bytes freed."""
        freed = sum(self.discard(entry.name) for entry in self._entries())
        self._sweep(0.0)
        return freed

    def make_room(self) -> None:
        """Remove entries until the rest is within the limit, and what crashed processes left behind."""
        self._sweep(_ABANDONED)
        entries = sorted(((_used(entry), _size(entry), entry.name) for entry in self._entries()), reverse=True)
        total = 0
        for _, size, name in entries:
            total += size
            if total > self.limit:
                self.discard(name)

    def _entries(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [entry for entry in self.folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]

    def _sweep(self, age: float) -> None:
        for left in self.folder.glob(".*.tmp"):
            if time.time() - max((_changed(path) for path in (left, *left.glob("*"))), default=0.0) >= age:
                shutil.rmtree(left, ignore_errors=True)

    def _aside(self, key: str) -> Path:
        return self.folder / f".{key}.{os.getpid()}.{secrets.token_hex(4)}.tmp"


class Writing:
    """An entry on its way. Ends with `keep` or `abandon`."""

    def __init__(self, cache: FeatureCache, key: str, aside: Path) -> None:
        self._cache, self._key, self._aside = cache, key, aside
        self._files: list[InFile] = []
        self.columns = FeatureColumns(self._grow)

    def _grow(self) -> InFile:
        # numbered, because a key may be no name for a file
        file = InFile(self._aside / f"{len(self._files)}.bin")
        self._files.append(file)
        return file

    def keep(self) -> FeatureSet:
        """Put the entry in its place and open it.

        Raises:
            OSError: it cannot be written.
        """
        columns = self.columns
        content = {
            "format": FORMAT,
            "key": self._key,
            "values": {key: file.close() for key, file in columns.values.items()},
            "lengths": {key: file.close() for key, file in columns.lengths.items()},
            "owners": columns.owners.close(),
        }
        with open(self._aside / _MANIFEST, "wb") as file:
            file.write(_sealed(content))
            file.flush()
            os.fsync(file.fileno())
        _sync(self._aside)
        features = self._put()
        self._cache.make_room()
        return features

    def abandon(self) -> None:
        for file in self._files:
            with contextlib.suppress(OSError):  # a full disk, which is why it is abandoned
                file.abandon()
        shutil.rmtree(self._aside, ignore_errors=True)

    def _put(self) -> FeatureSet:
        entry = self._cache.folder / self._key
        try:
            os.rename(self._aside, entry)
        except OSError:
            # another process was quicker; what it built is as good, if it is whole
            with contextlib.suppress(Damaged):
                features = self._cache.find(self._key)
                if features is not None:
                    self.abandon()
                    return features
            self._cache.discard(self._key)
            os.rename(self._aside, entry)
        _sync(self._cache.folder)
        # opened in its place and not before, because Windows renames nothing that is open
        try:
            return _opened(entry, self._key, (entry / _MANIFEST).read_bytes())
        except Damaged as error:
            raise OSError(f"another process removed them at once ({error})") from None


def _opened(entry: Path, key: str, manifest: bytes) -> FeatureSet:
    content = _unsealed(manifest)
    if content.get("format") != FORMAT:
        raise Damaged(f"it has format {content.get('format')!r}, not {FORMAT}")
    if content.get("key") != key:
        raise Damaged("it was made from other data or settings")
    try:
        values, lengths = (
            {name: read_back(entry, facts) for name, facts in content[each].items()} for each in ("values", "lengths")
        )
        return FeatureSet(values, lengths, read_back(entry, content["owners"]))
    except FileNotFoundError as error:
        raise Damaged(f"{Path(error.filename).name} is missing") from None
    except ValueError as error:
        raise Damaged(str(error)) from None
    except (KeyError, TypeError, AttributeError) as error:  # sealed, but by somebody else
        raise Damaged(f"its manifest is of another kind ({error!r})") from None


def _sealed(content: dict[str, Any]) -> bytes:
    """The manifest: a line with the digest of the rest, and the rest."""
    text = json.dumps(content, ensure_ascii=True, indent=1).encode()
    return hashlib.sha256(text).hexdigest().encode() + b"\n" + text


def _unsealed(manifest: bytes) -> dict[str, Any]:
    seal, _, text = manifest.partition(b"\n")
    if hashlib.sha256(text).hexdigest().encode() != seal:
        raise Damaged("its manifest was changed")
    content: dict[str, Any] = json.loads(text)
    return content


def _sync(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every system syncs folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _size(entry: Path) -> int:
    with contextlib.suppress(OSError):
        return sum(path.stat().st_size for path in entry.iterdir())
    return 0


def _used(entry: Path) -> float:
    return _changed(entry / _MANIFEST)


def _changed(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0
