"""Files are whole or not there, and prove that they are what was written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from ConSinGAN import atomic, files, saved
from ConSinGAN.errors import UsageError

TENSORS = {
    "weights": torch.randn(3, 4),
    "double": torch.randn(2, dtype=torch.float64),
    "state": torch.arange(7, dtype=torch.uint8),
    "empty": torch.zeros(0, 3),
    "scalar": torch.tensor(2.5),
}


def test_tensors_and_texts_come_back(tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    files.save_tensors(path, TENSORS, {"stage": "3"})
    tensors, about = files.load_tensors(path)
    assert about == {"stage": "3"}
    assert tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert tensors[name].dtype == value.dtype
        assert torch.equal(tensors[name], value)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    files.save_tensors(path, TENSORS, {"stage": "3"})
    data = path.read_bytes()
    for position in range(len(data)):
        for mask in (0x01, 0x80):
            damaged = bytearray(data)
            damaged[position] ^= mask
            path.write_bytes(damaged)
            with pytest.raises(UsageError, match=r"file\.safetensors"):
                files.load_tensors(path)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    files.save_tensors(path, TENSORS)
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(UsageError, match=r"file\.safetensors"):
            files.load_tensors(path)


def test_every_flipped_byte_of_a_sealed_text_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    data = saved.seal("nfc: 64\nname: Bäume\n")
    path.write_bytes(data)
    assert saved.unseal(path) == "nfc: 64\nname: Bäume\n"
    for position in range(len(data) - 1):  # the last one is the end of the line
        path.write_bytes(data[:position] + bytes([data[position] ^ 0x01]) + data[position + 1 :])
        with pytest.raises(UsageError, match=r"config\.yaml"):
            saved.unseal(path)


@pytest.mark.parametrize("header", [b"[]", b"{}", b"\xff" * 9, b'{"__metadata__": 3}', b""])
def test_strange_headers_are_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "file.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(UsageError, match=r"file\.safetensors"):
        files.load_tensors(path)


def test_a_header_that_claims_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    path.write_bytes((2**40).to_bytes(8, "little") + b"{}")
    with pytest.raises(UsageError, match="damaged"):
        files.read_header(path)


@pytest.mark.parametrize("call", ["fsync", "replace", "write"])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "file"
    atomic.write_atomic(path, b"old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if call == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    elif call == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(OSError, match="No space"):
        atomic.write_atomic(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
