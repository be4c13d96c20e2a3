"""Files that survive a power cut, with their digests: tensors as safetensors, anything else as bytes."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

_PIECE = 1 << 22
_KINDS = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def sync(path: Path) -> None:
    """Make a file's content, or a folder's entries, survive a power cut."""
    if sys.platform == "win32" and path.is_dir():  # has no such thing
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_tensors(path: Path) -> dict[str, Tensor]:
    # copied, because what the library gives may be the file itself, which will be removed
    return {name: tensor.clone() for name, tensor in load_file(path).items()}


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """A safetensors file; its digest. By hand, because the library copies all tensors before it writes them, and the
    digest would have to read them a third time: less than half the processor time, which training wants for itself."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header: dict[str, Any] = {}
    end = 0
    for name, tensor in whole.items():
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _KINDS[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)

    def content() -> Iterator[bytes | memoryview]:
        yield len(head).to_bytes(8, "little") + head
        for tensor in whole.values():
            if tensor.numel():
                yield tensor.reshape(-1).view(torch.uint8).numpy().data

    return write_synced(path, content())


def write_synced(path: Path, content: Iterator[bytes | memoryview]) -> str:
    """Write and sync a file; the SHA-256 of what was to be written."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for part in content:
            for start in range(0, len(part), _PIECE):
                piece = part[start : start + _PIECE]
                file.write(piece)
                digest.update(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
