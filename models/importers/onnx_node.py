"""One operation of an ONNX graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx

__all__ = ["Node"]


@dataclass(frozen=True)
class Node:
    """One operation; ``name`` is the node's, or its output's where the node has none."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    proto: onnx.NodeProto
