"""Cells of a PE of every family, and of its multiplier alone, in every weight code."""

from collections.abc import Callable, Iterator
from pathlib import Path

from hwsim.config import FAMILIES, ArchConfig, NumberConfig
from hwsim.rtl.synth.yosys import Cells, synthesize_array, synthesize_multiplier

__all__ = ["CODES", "PES", "survey"]

#: Number formats, the widest first; the last one is XNOR, with activations of one bit too.
CODES: tuple[dict, ...] = (
    *({"weight_code": "int", "weight_width": width} for width in (8, 5, 4, 3, 2)),
    *({"weight_code": "levels", "weight_width": width} for width in (8, 5, 4, 3, 2, 1)),
    {"weight_code": "ternary", "weight_width": 2},
    *({"weight_code": "pow2", "weight_width": width} for width in (4, 3, 2)),
    {"weight_code": "levels", "weight_width": 1, "act_width": 1},
)

#: Small arrays whose PEs stand for those of their family, by title: as small as they may be for a
#: PE to have its neighbours, with the memories that the shipped designs give to a PE.
PES: dict[str, dict] = {
    title: dict(array) for family in FAMILIES.values() for title, array in family.SURVEY.items()
}


def survey(
    target: str,
    cache: Path,
    codes: tuple[dict, ...] = CODES,
    pes: dict[str, dict] = PES,
    notify: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict]:
    """Count the cells of each multiplier and of each family's PE with it.

    Parameters
    ----------
    cache
        Folder of earlier results.
    notify
        Called with the number formats that are through, and all of them.

    Returns
    -------
    list of dict
        A row a number format and unit: ``unit`` is ``multiplier`` or a name in ``pes``;
        ``multipliers`` how many it has; cells by kind as of :class:`~hwsim.rtl.synth.yosys.Cells`.
    """
    rows: list[dict] = []
    for done, code in enumerate(codes):
        notify(done, len(codes))
        rows += _rows(NumberConfig(**code), target, cache, pes)
    notify(len(codes), len(codes))
    return rows


def _rows(numbers: NumberConfig, target: str, cache: Path, pes: dict[str, dict]) -> Iterator[dict]:
    yield _row(numbers, "multiplier", 1, synthesize_multiplier(numbers, target, cache))
    for unit, array in pes.items():
        if numbers.act_width == 1 and not FAMILIES[array["family"]].binary_acts:
            continue
        if array.get("codebook_bits", 0) >= numbers.weight_width:
            continue
        arch = ArchConfig.model_validate(
            {"name": "survey", "numbers": numbers.model_dump(), "array": array}
        )
        _, pe, count = synthesize_array(arch, target, cache, whole=False)
        yield _row(numbers, unit, arch.array.multipliers // count, pe)


def _row(numbers: NumberConfig, unit: str, multipliers: int, cells: Cells) -> dict:
    row = {
        "weight_code": numbers.weight_code,
        "weight_width": numbers.weight_width,
        "act_width": numbers.act_width,
        "unit": unit,
        "multipliers": multipliers,
    }
    return row | {name: count for name, count in cells.to_dict().items() if name != "by_type"}
