"""One point of a sweep: a design with its workload, and the digest of what decides its result."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from hwsim import __version__
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config import ArchConfig, MemoryConfig, NetworkConfig
from hwsim.cost.book import record_digest
from hwsim.errors import InputError
from hwsim.sweeps.weights import content

__all__ = ["Point", "digest"]

#: Keys that say nothing about the hardware or the workload: editing them keeps results valid.
PROSE = ("description", "name", "source")
#: Rooms whose code decides no result.
_SILENT = ("api", "cli", "report", "studies", "verification")


@dataclass(frozen=True)
class Point:
    """A design with its workload.

    ``key`` is a digest of everything that decides the result: the hardware, the layers, the
    weights, batch, seed, memory, technology, and the simulator's own sources. Names and prose are
    not in it: what is the same hardware on the same work is the same point, in any sweep. Where a
    rule of the configurations is broken ``error`` says which, and ``arch`` or ``network`` is
    ``None``.
    """

    key: str
    #: Where the point lies: run, base design, network, weights, ..., each field that is varied.
    fields: dict[str, Any]
    arch: ArchConfig | None
    network: NetworkConfig | None
    #: Path of the checkpoint; ``None``: synthetic weights.
    weights: Path | None = None
    #: Memory outside; ``None``: the array alone.
    memory: str | None = None
    images: int = 1
    seed: int = 0
    #: Process that time, area and energy are in, if they are measured.
    technology: str | None = None
    #: Fraction that memories which are fitted to the workload may lose; ``None``: none are fitted.
    slack: float | None = None
    error: str = ""
    #: Metrics that the weights bring with them.
    accuracy: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        arch: ArchConfig,
        network: NetworkConfig,
        fields: dict[str, Any],
        *,
        checkpoint: Checkpoint | None = None,
        memory: str | None = None,
        technology: str | None = None,
        images: int = 1,
        seed: int = 0,
        slack: float | None = None,
    ) -> Self:
        """Point of configurations; without a ``memory`` the array alone counts.

        Raises
        ------
        InputError
            There is no machine for the memory, or the weights are not as wide as the design's.
        """
        if memory is None:
            arch = arch.bare
        elif arch.memory is None:
            rule = "must be absent: the design is an array alone, without a machine"
            raise InputError(f"arch {arch.name}", "memory", memory, rule)
        if checkpoint is not None:
            _same_width(checkpoint, arch)
        # the memories of a machine are those that its program was compiled for
        slack = slack if memory is None else None
        path = None if checkpoint is None else Path(checkpoint.source)
        outside = None if memory is None else MemoryConfig.read(memory).model_dump(mode="json")
        decides = {
            "arch": arch.hardware(), "network": _plain(network.model_dump(mode="json")),
            "weights": None if path is None else content(path),
            "memory": None if outside is None else _plain(outside),
            "technology": technology and record_digest(technology),
            "images": images, "seed": seed, "slack": slack,
        }  # fmt: skip
        return cls(
            key=digest(decides), fields=fields, arch=arch, network=network, weights=path,
            memory=memory, images=images, seed=seed, technology=technology, slack=slack,
            accuracy={} if checkpoint is None else _accuracy(checkpoint),
        )  # fmt: skip


def digest(decides: dict[str, Any]) -> str:
    """Key of a point from what decides its result, as plain data, and of the simulator."""
    whole = {"hwsim": __version__, "sources": _sources(), **decides}
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(tree: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if key not in PROSE}


def _same_width(checkpoint: Checkpoint, arch: ArchConfig) -> None:
    width = max(layer.weight_bits for layer in checkpoint.layers.values())
    if width != arch.numbers.weight_width:
        rule = f"must have weights of {arch.numbers.weight_width} bits for {arch.name}, not {width}"
        raise InputError("sweep", "weights", Path(checkpoint.source).stem, rule)


def _accuracy(checkpoint: Checkpoint) -> dict[str, float]:
    found = {}
    for key in ("accuracy", "accuracy_heldout"):
        value = checkpoint.info.get(key)
        if isinstance(value, float) and 0 <= value <= 1:
            # in per cent without what binary fractions add: a bound may be just this
            found[f"{key}_percent"] = round(100 * value, 9)
    return found


@lru_cache
def _sources() -> str:
    """Digest of the simulator's sources: what another one counted is not of this one."""
    root = Path(__file__).parents[1]
    content = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        room = path.relative_to(root).parts[0]
        if room not in _SILENT:
            content.update(path.read_bytes())
    return content.hexdigest()[:16]
