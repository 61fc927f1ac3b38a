"""The hardware: one frozen object that simulator, generator, testbench and reports all read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Self, TypeVar, get_args

import yaml
from pydantic import field_validator, model_validator

from hwsim.config.arrays import FAMILIES, AnyArray, ArrayConfig
from hwsim.config.base import Config, load
from hwsim.config.catalog import CONFIGS, resolve
from hwsim.config.limits import Name
from hwsim.config.machine import BusConfig, OnChipConfig
from hwsim.config.numbers import NumberConfig
from hwsim.config.reserved import RESERVED
from hwsim.system.reading import is_file

__all__ = ["ArchConfig", "register"]

A = TypeVar("A", bound=ArrayConfig)

#: Sections of a design that determine the hardware of its array, and that of the machine around it.
SECTIONS = ("numbers", "array")
#: Widths of a machine's numbers: whole networks have these.
MACHINE_WIDTHS = {"act_width": 8, "psum_width": 32}
MACHINE = ("memory", "bus")


class ArchConfig(Config):
    """One design: simulated, generated and verified from this object alone."""

    #: Name of the design; becomes the Verilog module name.
    name: Name
    description: str = ""
    numbers: NumberConfig = NumberConfig()
    array: AnyArray
    #: Memories of the machine around the array; without them the design is the array alone.
    memory: OnChipConfig | None = None
    bus: BusConfig = BusConfig()

    @field_validator("name")
    @classmethod
    def _is_a_module_name(cls, name: str) -> str:
        if name in RESERVED:
            raise ValueError("must not be a word that Verilog or the testbench reserves")
        return name

    @model_validator(mode="after")
    def _array_takes_the_numbers(self) -> Self:
        if self.numbers.act_width == 1 and not self.array.binary_acts:
            takers = [name for name, family in FAMILIES.items() if family.binary_acts]
            raise ValueError(
                f"act_width must be at least 2 for family {self.array.family}: "
                f"binary activations are for {' and '.join(takers)}"
            )
        self.array.check_numbers(self.numbers)
        if self.memory is not None:
            for key, width in MACHINE_WIDTHS.items():
                if getattr(self.numbers, key) != width:
                    raise ValueError(
                        f"numbers.{key} must be {width} with memory: a machine runs checkpoints, "
                        "whose activations have 8 bits and sums 32"
                    )
            self.array.machine_beats(self.numbers)
            gather, taken = self.memory.gather, self.array.gathers
            if gather not in taken:
                value = "on" if True in taken else "off"
                raise ValueError(f"memory.gather must be {value} for family {self.array.family}")
        elif self.bus != BusConfig():
            raise ValueError("bus must be absent without memory: a bare array has no port to one")
        return self

    def array_as(self, kind: type[A]) -> A:
        """Array of the design as an array of one kind, for code that serves no other.

        Raises
        ------
        TypeError
            It is of another family.
        """
        if not isinstance(self.array, kind):
            names = [name for name, family in FAMILIES.items() if issubclass(family, kind)]
            raise TypeError(
                f"{self.name} must be of family {' or '.join(names)}, not {self.array.family}"
            )
        return self.array

    @property
    def digest(self) -> str:
        """Digest of the sections that determine the hardware: not of name or description."""
        return digest_of(self.hardware())

    def hardware(self) -> dict[str, Any]:
        """Sections that determine the hardware, as plain data with every default.

        Options of the array that are off are left out: a new one changes no other design's digest.
        """
        sections = SECTIONS if self.memory is None else SECTIONS + MACHINE
        found = self.model_dump(mode="json", include=set(sections))
        for option in self.array.OPTIONS:
            if not found["array"][option]:
                del found["array"][option]
        return found

    @property
    def array_title(self) -> str:
        """Name for figures of the array, which say nothing of a machine around it."""
        return self.name if self.memory is None else f"{self.name}, its array alone"

    @property
    def bare(self) -> ArchConfig:
        """The array alone."""
        return self.model_copy(update={"memory": None, "bus": BusConfig()})

    def to_yaml(self) -> str:
        """Text of a file that :meth:`read` reads: what is not a default."""
        fields = self.model_dump(mode="json", exclude_defaults=True)
        text: str = yaml.safe_dump(fields, sort_keys=False, default_flow_style=None, width=100)
        return text

    @classmethod
    def read(cls, name: str | Path) -> Self:
        """Read a design by name (``configs/arch``, ``configs/machine``) or path."""
        is_machine = is_file(CONFIGS / "machine" / f"{name}.yaml")
        return load(cls, resolve(name, "machine" if is_machine else "arch"))


def digest_of(hardware: dict[str, Any]) -> str:
    """Digest of what :meth:`ArchConfig.hardware` gives."""
    text = json.dumps(hardware, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def register(family: type[ArrayConfig]) -> None:
    """Add an array family of the caller's: every command then takes designs of it.

    Parameters
    ----------
    family
        A subclass of :class:`~hwsim.config.arrays.base.ArrayConfig` whose ``family`` is a
        ``Literal`` of one name.
    """
    (name,) = get_args(family.model_fields["family"].annotation)
    FAMILIES[name] = family
    ArchConfig.model_rebuild(force=True)
