# amaranth: UnusedElaboratable=no
"""Bursts of blocks: their cuts, one per cycle, and no more at once than is allowed."""

import pytest
from harness.component import play, seeded

from hwsim.config import BusConfig
from hwsim.rtl.bus.bursts import Bursts

OUTPUTS = ["block.ready", "burst.valid", "burst.payload", "busy"]


def block(address, beats, rows=1, row_step=0):
    return {"address": address, "row_step": row_step, "rows": rows, "beats": beats}


def cuts(blocks, bus):
    """Bursts of blocks, ``(addr, len)``, beat by beat."""
    bursts = []
    for each in blocks:
        for row in range(each["rows"]):
            begins = True
            for beat in range(each["beats"]):
                at = each["address"] + row * each["row_step"] + beat * bus.bytes
                if begins or at % 4096 == 0 or bursts[-1][1] == bus.burst - 1:
                    bursts.append([at, 0])
                else:
                    bursts[-1][1] += 1
                begins = False
    return [tuple(burst) for burst in bursts]


@pytest.mark.parametrize("probability", [1.0, 0.4])
@pytest.mark.parametrize(
    "config",
    [{}, {"burst": 1}, {"burst": 2, "outstanding": 1}, {"data_width": 256, "burst": 128},
     {"data_width": 32, "burst": 256, "outstanding": 3}, {"addr_width": 40}],
    ids=str,
)  # fmt: skip
def test_cuts_and_limit(simulate, config, probability):
    bus = BusConfig(**config)
    rng = seeded(bus.burst)
    base = 1 << (bus.addr_width - 2)
    blocks = []
    for _ in range(12):
        beats, rows = int(rng.integers(1, 80)), int(rng.integers(1, 5))
        address = base + bus.bytes * int(rng.integers(4096 // bus.bytes))
        blocks.append(block(address, beats, rows, bus.bytes * int(rng.integers(beats, 300))))
    expected = cuts(blocks, bus)
    bursts, under_way, offered = [], 0, 0

    def stimuli(outputs):
        nonlocal under_way, offered
        while len(bursts) < len(expected) or under_way:
            ends = int(under_way > 0 and rng.random() < 0.3)
            takes = int(rng.random() < probability)
            more = offered < len(blocks)
            yield {"block.valid": int(more), "block.payload": blocks[min(offered, 11)],
                   "burst.ready": takes, "done": ends}  # fmt: skip
            row = outputs[-1]
            assert row["busy"] or not bursts or not under_way
            offered += more and row["block.ready"]
            if row["burst.valid"]:
                # a burst that ends in this cycle still counts
                assert under_way < bus.outstanding
            elif bursts and len(bursts) < len(expected):
                assert under_way == bus.outstanding
            under_way -= ends
            if takes and row["burst.valid"]:
                bursts.append((int(row["burst.payload"].addr), int(row["burst.payload"].len)))
                under_way += 1
            assert len(outputs) < 9000
        yield {"done": 0}
        assert not outputs[-1]["busy"]

    play(simulate, Bursts(bus), stimuli, OUTPUTS)
    assert bursts == expected


def test_first_burst_comes_one_cycle_after_its_block(simulate):
    cycles = [{"block.valid": 1, "block.payload": block(64, 2), "burst.ready": 1},
              {"block.valid": 0}, {}, {"done": 1}, {"done": 0}]  # fmt: skip
    rows = play(simulate, Bursts(BusConfig()), cycles, OUTPUTS)
    assert [row["burst.valid"] for row in rows] == [0, 1, 0, 0, 0]
    assert [row["busy"] for row in rows] == [0, 1, 1, 1, 0]
