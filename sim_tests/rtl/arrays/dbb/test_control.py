# amaranth: UnusedElaboratable=no
"""Control of the output-stationary array on sub-beats: a block counts with its last one."""

from harness.component import play
from harness.dbb_cases import arch_of

from hwsim.config.arrays.systolic import SYSTOLIC_CAUSES
from hwsim.contract.causes import cause_names
from hwsim.rtl.arrays.systolic.os_control import OSControl

CAUSES = cause_names(SYSTOLIC_CAUSES)["array"]
OUTPUTS = ["weight.ready", "act.ready", "mac", "cause"]
INPUTS = {"enable": 1, "command.valid": 0, "weight.valid": 1, "act.valid": 0}


def sub_beats(*counts):
    """Offers of blocks of so many sub-beats."""
    for count in counts:
        for beat in range(count):
            flags = {"first": beat == 0, "last": beat == count - 1}
            yield INPUTS | {"act.valid": 1, "act.p": {"act": [[{}] * 2] * 2} | flags}


def play_folds(simulate, rows, *counts):
    command = {"k_size": 2, "m_folds": 2, "n_folds": 1, "m_edge": 1}
    offers = [INPUTS | {"command.valid": 1, "command.p": command}, *sub_beats(*counts), INPUTS]
    return play(simulate, OSControl(arch_of(rows, 2, 2, 8)), offers, OUTPUTS)


def test_weights_stay_for_the_sub_beats_of_their_block(simulate):
    rows = play_folds(simulate, 1, 3, 1, 1, 2)
    assert [row["weight.ready"] for row in rows] == [0, 0, 0, 1, 1, 1, 0, 1, 0]
    assert [row["act.ready"] for row in rows[:-1]] == [0, *[1] * 7]
    assert [row["mac"].valid for row in rows] == [0, *[1] * 7, 0]
    # of the two folds of two blocks
    assert [row["mac"].first for row in rows[1:8]] == [1, 0, 0, 0, 1, 0, 0]
    assert [row["mac"].last for row in rows[1:8]] == [0, 0, 0, 1, 0, 0, 1]


def test_the_last_sub_beat_of_a_fold_waits_for_the_drain(simulate):
    """Four rows: three sub-beats after the last one of a fold another last one may follow."""
    rows = play_folds(simulate, 4, 1, 1, 1, 2)
    causes = [CAUSES[row["cause"]] for row in rows]
    # the bench's last offer is the second sub-beat of the last block, one cycle too early
    assert causes == ["idle", "compute", "compute", "compute", "compute", "preload", "act"]
    assert not rows[5]["mac"].valid
