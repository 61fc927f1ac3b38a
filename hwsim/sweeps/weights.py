"""Weights of points, and their operands, read once for the points that share them."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config import NetworkConfig
from hwsim.config.base import parse
from hwsim.inference.operands import Operands, operands_of

__all__ = ["content", "network_of", "operands", "read"]

#: Size of a file and when it was written: one that is written again is read again.
Stamp = tuple[int, int]


@lru_cache(maxsize=256)
def network_of(text: str) -> NetworkConfig:
    """Network of plain data as JSON."""
    tree = json.loads(text)
    return parse(NetworkConfig, tree, f"network {tree['name']}")


def read(path: Path, network: str) -> Checkpoint:
    """Checkpoint of a network, which is given as JSON."""
    return _read(path, _stamp(path), network)


def content(path: Path) -> str:
    """Digest of a checkpoint's file."""
    return _content(path, _stamp(path))


def operands(path: Path, network: str, images: int, seed: int) -> Operands:
    """Operands of a network, which is given as JSON, on so many images."""
    return _operands(path, _stamp(path), network, images, seed)


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=64)
def _read(path: Path, stamp: Stamp, network: str) -> Checkpoint:
    return Checkpoint.read(path, network_of(network))


@lru_cache(maxsize=1024)
def _content(path: Path, stamp: Stamp) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


@lru_cache(maxsize=2)  # those of one network with all its activations may be large
def _operands(path: Path, stamp: Stamp, network: str, images: int, seed: int) -> Operands:
    weights = _read(path, stamp, network)
    return operands_of(network_of(network), weights, images, seed=seed)[0]
