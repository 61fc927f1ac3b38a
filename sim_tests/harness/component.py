"""Play stimuli on one component in the Amaranth simulator, cycle by cycle."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["high", "play", "seeded", "transfer"]

Inputs = Mapping[str, Any]
Outputs = dict[str, Any]


def play(
    simulate: Callable[..., None],
    dut: Any,
    cycles: Iterable[Inputs] | Callable[[list[Outputs]], Iterable[Inputs]],
    watched: Sequence[str],
) -> list[Outputs]:
    """Set the inputs of each cycle; give the outputs ``watched`` in each of them.

    A port is named as in Python (``token.valid``, ``drain.row``) and keeps its value until it is
    set again. Where the inputs depend on outputs, ``cycles`` is a function that gets the list of
    outputs so far, and yields the inputs of one cycle after the other.
    """
    rows: list[Outputs] = []
    ports = [_port(dut, name) for name in watched]

    async def bench(ctx):
        for inputs in cycles(rows) if callable(cycles) else cycles:
            for name, value in inputs.items():
                ctx.set(_port(dut, name), value)
            _, _, *values = await ctx.tick().sample(*ports)
            rows.append(dict(zip(watched, values, strict=True)))

    simulate(dut, bench)
    return rows


def transfer(
    simulate: Callable[..., None],
    dut: Any,
    offers: Mapping[str, Sequence[Any]],
    taken: tuple[str, int],
    watched: Sequence[str],
    rng: np.random.Generator | None = None,
) -> tuple[list[Outputs], list[Any]]:
    """Offer payloads on streams until as many as expected are taken from another; all must go.

    Parameters
    ----------
    offers
        Stream -> its payloads.
    taken
        The other stream, and how many payloads it gives.
    watched
        As in :func:`play`; ``ready`` and ``valid`` of these streams and ``p`` of the other
        are among them.
    rng
        Streams wait at random; absent, none waits.

    Returns
    -------
    rows, received
        Outputs of each cycle, one more at the end, and the payloads that were taken.
    """
    left = {stream: list(payloads) for stream, payloads in offers.items()}
    sink, count = taken
    received: list[Any] = []

    def moves() -> bool:
        return rng is None or bool(rng.random() < 0.7)

    def stimuli(rows: list[Outputs]) -> Iterator[Inputs]:
        valid = dict.fromkeys(left, False)
        while len(received) < count:
            valid = {stream: bool(left[stream]) and (valid[stream] or moves()) for stream in left}
            ready = moves()
            payloads = {f"{stream}.p": items[0] for stream, items in left.items() if items}
            offered = {f"{stream}.valid": is_valid for stream, is_valid in valid.items()}
            yield payloads | offered | {f"{sink}.ready": ready}
            row = rows[-1]
            for stream, items in left.items():
                if valid[stream] and row[f"{stream}.ready"]:
                    items.pop(0)
                    valid[stream] = False
            if ready and row[f"{sink}.valid"]:
                received.append(row[f"{sink}.p"])
        yield {f"{stream}.valid": False for stream in left}

    rows = play(simulate, dut, stimuli, watched)
    assert not any(left.values())
    return rows, received


def high(rows: list[Outputs], name: str) -> list[int]:
    """Cycles in which an output is not zero."""
    return [cycle for cycle, row in enumerate(rows) if row[name]]


def _port(dut: Any, name: str) -> Any:
    for part in name.split("."):
        dut = getattr(dut, part)
    return dut


def seeded(seed: int) -> np.random.Generator:
    """Generator of a seed that is printed, so that pytest shows it where a test fails."""
    print(f"seed {seed}")
    return np.random.default_rng(seed)
