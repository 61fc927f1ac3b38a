"""Designs by rule, and the bits of their ports."""

from __future__ import annotations

from importlib import import_module

import pytest

from hwsim.config import ArchConfig
from hwsim.config.base import parse
from hwsim.config.catalog import CONFIGS
from hwsim.errors import InputError

ARCHS = sorted(path.stem for path in (CONFIGS / "arch").glob("*.yaml"))


def shaped(arch: ArchConfig, shape: dict[str, int | None]) -> ArchConfig:
    raw = arch.model_dump()
    return parse(ArchConfig, raw | {"array": raw["array"] | shape}, arch.name)


@pytest.mark.parametrize("name", ARCHS)
def test_the_ports_are_those_of_the_rtl(name: str) -> None:
    pytest.importorskip("amaranth")
    from amaranth.hdl import Shape

    arch = ArchConfig.read(name)
    array = import_module(arch.array.RTL).Array(arch)
    # it is looked at, not elaborated: that takes long, and Amaranth would say that it is unused
    array._MustUse__used = True
    assert arch.array.port_bits(arch.numbers) == {
        stream: Shape.cast(getattr(array, stream).payload.shape()).width
        for stream in ("weight", "act", "ofmap")
    }


@pytest.mark.parametrize(
    ("name", "keys", "shapes"),
    [
        ("dense_8x8_ws", ("rows", "cols"), [(1, 12), (2, 6), (3, 4), (4, 3), (6, 2), (12, 1)]),
        ("nm_2x4_4x8_ws", ("rows", "cols"), [(1, 6), (2, 3), (3, 2), (6, 1)]),
        ("pattern_4x4", ("rows", "cols"), [(1, 3), (3, 1)]),
        ("csc_8x8", ("pes", "lanes"), [(1, 12), (2, 6), (4, 3)]),
        ("bitmask_64", ("pes", "clusters"), [(12, 1), (12, 2), (12, 4)]),
        ("dbb_2x4_4x8", ("rows", "cols"), [(1, 6), (2, 3), (3, 2), (6, 1)]),
    ],
)
def test_every_shape_of_twelve_multipliers(
    name: str, keys: tuple[str, str], shapes: list[tuple[int, int]]
) -> None:
    array = ArchConfig.read(name).array
    assert [tuple(shape[key] for key in keys) for shape in array.splits(12)] == shapes


@pytest.mark.parametrize("name", ["csc_8x8", "csc_4x16", "bitmask_64", "bitmask_64_c64"])
def test_ports_and_memories_of_a_decoding_array_stay(name: str) -> None:
    arch = ArchConfig.read(name)
    shapes = arch.array.splits(arch.array.multipliers)
    if name == "bitmask_64":
        # 64 clusters of one PE: as many masks as before are more than the memory of a PE may hold
        with pytest.raises(InputError, match=r"array\.mask_depth = \d+: Input should be less than"):
            shaped(arch, shapes.pop())
    for shape in shapes:
        other = shaped(arch, shape)
        assert other.array.multipliers == arch.array.multipliers
        ports, own = (each.array.port_bits(each.numbers) for each in (other, arch))
        assert ports["ofmap"] == own["ofmap"]
        # a pixel of each lane is the least that a beat holds
        lanes = getattr(other.array, "lanes", getattr(other.array, "clusters", 1))
        assert ports["act"] <= max(own["act"], 8 * lanes + 1)
    assert arch.digest in [shaped(arch, shape).digest for shape in shapes]


@pytest.mark.parametrize("name", ["csc_8x8", "csc_16x4", "bitmask_64", "bitmask_64_c64"])
@pytest.mark.parametrize("multipliers", [6, 12, 48, 100])
def test_shapes_of_any_number_keep_the_rules(name: str, multipliers: int) -> None:
    arch = ArchConfig.read(name)
    for shape in arch.array.splits(multipliers):
        if shape.get("lanes", 1) <= 64:  # type: ignore[operator]
            assert shaped(arch, shape).array.multipliers == multipliers


def test_a_number_that_fits_no_pe_has_no_shape() -> None:
    assert ArchConfig.read("nm_2x4_4x8_ws").array.splits(7) == []
