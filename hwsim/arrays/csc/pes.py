"""The PEs of the index-decoding array, cycle by cycle: state vectorised over PEs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Words
from hwsim.config import ArchConfig, CSCConfig
from hwsim.contract.causes import cause_names
from hwsim.fixedpoint import wrap
from hwsim.formats.codes import decode
from hwsim.formats.csc import entry_has_zero, entry_width, zero_run

__all__ = ["PEs"]

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

#: Status code of each cause of a PE.
CODE = {name: np.int64(code) for code, name in enumerate(cause_names(CSCConfig.CAUSES)["pe"])}


class PEs:
    """All PEs: decoder, multipliers, accumulators; registers are named as in ``rtl``.

    Every queue gets the same tokens, so one ring stands for the storage of all of them.
    """

    def __init__(self, arch: ArchConfig, pointers: int, entries: int) -> None:
        array = arch.array_as(CSCConfig)
        self.events = dict.fromkeys(array.pe_strobes, 0)
        self.array, self.numbers = array, arch.numbers
        self.pe = np.arange(array.pes)
        size, lanes = array.pes, array.lanes
        self.pointers = np.zeros((size, pointers), dtype=np.int64)
        self.codes = np.zeros((size, entries), dtype=np.int64)
        self.rel_indices = np.zeros((size, entries), dtype=np.int64)

        # integer of each code of an entry: fixed, or the codebook that a layer loads
        self.entry_width = entry_width(arch)
        every = np.arange(1 << self.entry_width)
        has_codebook = array.codebook_bits is not None
        self.table = np.zeros_like(every) if has_codebook else decode(every, arch.numbers)
        self.marker = None if entry_has_zero(arch) else zero_run(array.index_bits, False)

        # queue
        depth = array.fifo_depth
        self.produce = 0
        self.consume = self._ints()
        self.token_k = np.zeros(depth, dtype=np.int64)
        self.token_act = np.zeros((depth, lanes), dtype=np.int64)
        self.token_last = np.zeros(depth, dtype=np.bool_)
        self.token_null = np.zeros(depth, dtype=np.bool_)
        # what waits while its pointers are fetched
        self.is_fetched, self.fetched_last = self._bools(), self._bools()
        self.fetched_null = self._bools()
        self.fetched_act = np.zeros((size, lanes), dtype=np.int64)
        self.fetched_start, self.fetched_end = self._ints(), self._ints()
        # issue
        self.column_valid, self.is_first = self._bools(), self._bools()
        self.column_last, self.column_null = self._bools(), self._bools()
        self.column_act = np.zeros((size, lanes), dtype=np.int64)
        self.start, self.end, self.cursor = self._ints(), self._ints(), self._ints()
        self.bank, self.ahead = self._ints(), self._ints()
        # first row of the group, and what it moves by where the sums of all groups stay
        self.base, self.step_rows = self._ints(), 0
        # capture: what the memory of entries shows, and what goes with it
        self.issued, self.finishes_q = self._bools(), self._bools()
        self.is_first_q, self.bank_q, self.base_q = self._bools(), self._ints(), self._ints()
        self.code, self.rel_idx = self._ints(), self._ints()
        self.act_q = np.zeros((size, lanes), dtype=np.int64)
        self.cause_q = self._ints()
        # decode
        self.is_entry, self.finishes = self._bools(), self._bools()
        self.is_top, self.entry_bank, self.entry_base = self._bools(), self._ints(), self._ints()
        self.captured_code, self.captured_rel_idx = self._ints(), self._ints()
        self.captured_act = np.zeros((size, lanes), dtype=np.int64)
        self.row_next = self._ints()
        self.cause_qq = self._ints()
        # multiply
        self.multiplies, self.multiply_finishes = self._bools(), self._bools()
        self.value, self.multiply_row, self.multiply_bank = self._ints(), self._ints(), self._ints()
        self.act = np.zeros((size, lanes), dtype=np.int64)
        # add
        self.adds, self.add_finishes = self._bools(), self._bools()
        self.add_row, self.add_bank = self._ints(), self._ints()
        self.product = np.zeros((size, lanes), dtype=np.int64)
        self.count = self._ints()
        self.acc = np.zeros((2, array.acc_depth, size, lanes), dtype=np.int64)

    def _ints(self) -> Ints:
        return np.zeros(self.array.pes, dtype=np.int64)

    def _bools(self) -> Bools:
        return np.zeros(self.array.pes, dtype=np.bool_)

    def load(self, beat: Words) -> None:
        """Write one beat of the weight stream into the memories of a bank."""
        first = int(beat["bank"]) * self.array.load_pes
        bank = slice(first, first + self.array.load_pes)
        addr, word = int(beat["addr"]), beat["data"]
        if beat["kind"] == 0:
            self.events["pointer_writes"] += self.array.load_pes
            self.pointers[bank, addr] = word
        elif beat["kind"] == 1:
            self.events["entry_writes"] += self.array.load_pes
            self.codes[bank, addr] = word & ((1 << self.entry_width) - 1)
            self.rel_indices[bank, addr] = word >> self.entry_width
        else:
            self.events["codebook_writes"] += self.array.pes
            self.table[addr] = decode(word[0], self.numbers)

    @property
    def is_padding(self) -> Bools:
        """The entry captured last is padding."""
        if self.marker is None:
            return np.equal(self.captured_code, 0)
        return np.equal(self.captured_rel_idx, self.marker)

    @property
    def full(self) -> bool:
        """A queue is full: no token can be broadcast in this cycle."""
        return bool(self.produce - self.consume.min() == self.array.fifo_depth)

    @property
    def cause(self) -> Ints:
        """Cause of the cycle before the last one, ``(P,)`` status codes."""
        entry = np.where(self.is_padding, CODE["padding"], CODE["mac"])
        return np.where(self.is_entry, entry, self.cause_qq)

    def finished(self) -> int:
        """Groups that every PE has added up and that are not drained."""
        return int(self.count.min())

    def push(self, k: int, act: Ints, is_last: bool, is_null: bool) -> None:
        """Broadcast a token; it is in the queues from the next cycle on, so step first."""
        slot = self.produce % self.array.fifo_depth
        self.token_k[slot], self.token_act[slot] = k, act
        self.token_last[slot], self.token_null[slot] = is_last, is_null
        self.produce += 1
        self.events["queue_writes"] += self.array.pes

    def step(self, is_drained: bool, is_busy: bool) -> None:
        """Pass one cycle of a running layer, the last stage first."""
        self._add(is_drained)
        self._multiply()
        self._decode()
        self._capture()
        self._issue(is_drained, is_busy)

    def stop(self) -> None:
        """The layer is over: what the cycle after it finds."""
        self.bank[:] = self.ahead[:] = self.base[:] = 0
        self.cause_q[:] = self.cause_qq[:] = CODE["idle"]
        self.issued[:] = self.is_entry[:] = False

    def _add(self, is_drained: bool) -> None:
        pe = np.flatnonzero(self.adds)
        bank, row = self.add_bank[pe], self.add_row[pe]
        self.events["psum_writes"] += len(pe)
        total = self.acc[bank, row, pe] + self.product[pe]
        self.acc[bank, row, pe] = wrap(total, self.numbers.psum_width)
        self.count += self.add_finishes
        self.count -= is_drained

    def _multiply(self) -> None:
        self.product = self.value[:, None] * self.act
        self.adds, self.add_finishes = self.multiplies, self.multiply_finishes
        self.add_row, self.add_bank = self.multiply_row, self.multiply_bank

    def _decode(self) -> None:
        is_padding = self.is_padding
        row = np.where(self.is_top, self.entry_base, self.row_next) + self.captured_rel_idx
        self.multiplies = self.is_entry & ~is_padding
        entries = int(np.count_nonzero(self.multiplies))
        self.events["macs"] += entries * self.array.lanes
        self.events["psum_reads"] += entries
        if self.array.codebook_bits is not None:
            self.events["codebook_reads"] += int(np.count_nonzero(self.is_entry))
        self.multiply_finishes = self.finishes
        self.value, self.multiply_row = self.table[self.captured_code], row
        self.multiply_bank, self.act = self.entry_bank, self.captured_act
        # padding that the index marks stands for no position of its own
        position = 1 if self.marker is None else ~is_padding
        self.row_next = np.where(self.is_entry, row + position, self.row_next)

    def _capture(self) -> None:
        self.is_entry, self.finishes = self.issued, self.finishes_q
        self.is_top, self.entry_bank, self.entry_base = self.is_first_q, self.bank_q, self.base_q
        self.captured_code, self.captured_rel_idx = self.code, self.rel_idx
        self.captured_act, self.cause_qq = self.act_q, self.cause_q

    def _issue(self, is_drained: bool, is_busy: bool) -> None:
        addr = np.where(self.is_first, self.start, self.cursor)
        goes = self.column_valid & (self.ahead != 2)
        is_empty = self.column_null | (addr == self.end)
        is_issuing = goes & ~is_empty
        ends_column = goes & (is_empty | (addr + 1 == self.end))
        ends_group = ends_column & self.column_last
        has_token = self.consume != self.produce

        self.cause_q = np.select(
            [goes, self.column_valid, has_token | self.is_fetched],
            [CODE["column"], CODE["drain"], CODE["pointer"]],
            CODE["empty"] if is_busy else CODE["done"],
        )
        self.issued, self.finishes_q = is_issuing, ends_group
        self.is_first_q, self.bank_q, self.act_q = self.is_first, self.bank, self.column_act
        self.base_q = self.base
        pe = np.flatnonzero(is_issuing)
        self.events["entry_reads"] += len(pe)
        self.code, self.rel_idx = self.code.copy(), self.rel_idx.copy()
        self.code[pe] = self.codes[pe, addr[pe]]
        self.rel_idx[pe] = self.rel_indices[pe, addr[pe]]
        self.cursor = np.where(is_issuing, addr + 1, self.cursor)
        self.is_first = self.is_first & ~is_issuing
        self.base = self.base + self.step_rows * (ends_group & (self.bank == 1))
        self.bank = self.bank ^ ends_group
        self.ahead = self.ahead + ends_group - is_drained
        self._pop(has_token, ~self.column_valid | ends_column)

    def _pop(self, has_token: Bools, moves: Bools) -> None:
        """Fetched pointers move to the issue stage; tokens leave the queue, theirs are fetched."""
        self.column_valid = np.where(moves, self.is_fetched, self.column_valid)
        self.column_act = np.where(moves[:, None], self.fetched_act, self.column_act)
        self.column_last = np.where(moves, self.fetched_last, self.column_last)
        self.column_null = np.where(moves, self.fetched_null, self.column_null)
        self.start = np.where(moves, self.fetched_start, self.start)
        self.end = np.where(moves, self.fetched_end, self.end)
        self.is_first = self.is_first | moves
        pops = has_token & (~self.is_fetched | moves)
        self.is_fetched = pops | (self.is_fetched & ~moves)
        if not pops.any():
            return
        leaving = int(np.count_nonzero(pops))
        self.events["queue_reads"] += leaving
        self.events["pointer_reads"] += 2 * leaving  # start and end
        slot = self.consume % self.array.fifo_depth
        column = self.token_k[slot]
        self.fetched_act = np.where(pops[:, None], self.token_act[slot], self.fetched_act)
        self.fetched_last = np.where(pops, self.token_last[slot], self.fetched_last)
        self.fetched_null = np.where(pops, self.token_null[slot], self.fetched_null)
        start, end = self.pointers[self.pe, column], self.pointers[self.pe, column + 1]
        self.fetched_start = np.where(pops, start, self.fetched_start)
        self.fetched_end = np.where(pops, end, self.fetched_end)
        self.consume = self.consume + pops
