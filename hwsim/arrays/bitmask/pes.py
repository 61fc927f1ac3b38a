"""The PEs of the bitmask array, cycle by cycle: state vectorised over PEs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Words
from hwsim.config import ArchConfig, BitmaskConfig
from hwsim.contract.causes import cause_names
from hwsim.fixedpoint import wrap
from hwsim.formats import codes
from hwsim.formats.bitmask import PIECE

__all__ = ["PEs"]

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
#: Masks, ``(P, chunk / PIECE)``.
Masks = NDArray[np.uint8]

#: Status code of each cause of a PE.
CODE = {name: np.int64(code) for code, name in enumerate(cause_names(BitmaskConfig.CAUSES)["pe"])}


class PEs:
    """All PEs: mask walk, inner join, multiplier, accumulators; registers as in ``rtl``.

    Every buffer of a cluster is given the same chunks, so one ring stands for all of them.
    """

    def __init__(self, arch: ArchConfig) -> None:
        array = arch.array_as(BitmaskConfig)
        self.events = dict.fromkeys(array.pe_strobes, 0)
        self.array, self.numbers = array, arch.numbers
        size, pieces = array.pes, array.chunk // PIECE
        self.pe = np.arange(size)
        self.cluster = self.pe // array.cluster_pes
        self.rows = self.chunks = 0
        self.weights: Masks = np.zeros((size, array.mask_depth, pieces), dtype=np.uint8)
        self.values = np.zeros((size, array.entry_depth), dtype=np.int64)

        # buffer
        depth = array.buffer_depth
        self.produce = self.word = 0
        self.acts = np.zeros((array.clusters, depth, array.chunk), dtype=np.int64)
        self.masks: Masks = np.zeros((array.clusters, depth, pieces), dtype=np.uint8)
        # walk
        self.walked, self.released = self._ints(), self._ints()
        self.row, self.chunk, self.addr = self._ints(), self._ints(), self._ints()
        self.step_valid = self._bools()
        self.step_weight, self.step_act = self._masks(), self._masks()
        self.step_row, self.step_slot = self._ints(), self._ints()
        self.step_ends_chunk, self.step_ends_pixel = self._bools(), self._bools()
        # join
        self.busy = self._bools()
        self.pending, self.weight_q, self.act_q = self._masks(), self._masks(), self._masks()
        self.ends_chunk_q, self.ends_pixel_q = self._bools(), self._bools()
        self.start_addr, self.bank, self.ahead = self._ints(), self._ints(), self._ints()
        self.route = np.zeros((4, size), dtype=np.int64)  # start, slot, row, bank
        # rank
        self.pair_valid = self._bools()
        self.weight_below, self.act_below = self._masks(), self._masks()
        self.rank_route = self.route
        # fetch, select, multiply, add: valid, and (row, bank) of the pair
        self.valid = [self._bools() for _ in range(4)]
        self.target = [np.zeros((2, size), dtype=np.int64) for _ in range(4)]
        self.value_addr, self.act_slot, self.act_rank = self._ints(), self._ints(), self._ints()
        self.value_data, self.act_data = self._ints(), self._ints()
        self.weight, self.act, self.product = self._ints(), self._ints(), self._ints()
        self.release = [self._bools() for _ in range(2)]
        self.finishes = [self._bools() for _ in range(5)]
        self.count = self._ints()
        self.acc = np.zeros((array.acc_banks, array.acc_depth, size, 1), dtype=np.int64)

    def _ints(self) -> Ints:
        return np.zeros(self.array.pes, dtype=np.int64)

    def _bools(self) -> Bools:
        return np.zeros(self.array.pes, dtype=np.bool_)

    def _masks(self) -> Masks:
        return np.zeros((self.array.pes, self.array.chunk // PIECE), dtype=np.uint8)

    def load(self, beat: Words) -> None:
        """Write one beat of the weight stream into the memories of a bank of every cluster."""
        array = self.array
        addr, word = int(beat["addr"]), beat["data"]
        writes = "mask_writes" if beat["kind"] == 0 else "value_writes"
        self.events[writes] += array.load_pes * array.clusters
        for cluster in range(array.clusters):
            first = cluster * array.cluster_pes + int(beat["bank"]) * array.load_pes
            bank = slice(first, first + array.load_pes)
            if beat["kind"] == 0:
                mask, piece = divmod(addr, array.chunk // PIECE)
                self.weights[bank, mask, piece] = word
            else:
                self.values[bank, addr] = codes.decode(word, self.numbers)

    def start(self, rows: int, chunks: int) -> None:
        """Begin a layer."""
        self.rows, self.chunks = rows, chunks

    def stop(self) -> None:
        """The layer is over: what the cycle after it finds."""
        self.bank[:] = 0

    @property
    def room(self) -> bool:
        """Every buffer can take a chunk."""
        return bool(self.produce - self.released.min() != self.array.buffer_depth)

    def finished(self) -> int:
        """Pixels that every PE has added up and that are not drained."""
        return int(self.count.min())

    def causes(self, run: bool, more: bool) -> Ints:
        """Cause of the cycle to come, ``(P,)`` status codes."""
        if not run:
            return np.full(self.array.pes, CODE["idle"])
        has_pair = self.pending.any(axis=1)
        return np.select(
            [
                self.busy & has_pair,
                self.busy,
                self.step_valid & (self.ahead == self.array.acc_banks),
                self.step_valid | (self.walked != self.produce),
            ],
            [CODE["mac"], CODE["empty"], CODE["drain"], CODE["fetch"]],
            CODE["buffer"] if more else CODE["done"],
        )

    def push(self, beat: Words) -> None:
        """Write a beat into every buffer; it is there from the next cycle on, so step first."""
        window = self.array.window
        slot = self.produce % self.array.buffer_depth
        self.acts[:, slot, self.word * window : (self.word + 1) * window] = beat["act"]
        self.word += 1
        self.events["buffer_writes"] += self.array.pes
        if beat["last"]:
            self.events["buffer_mask_writes"] += self.array.pes
            kind = f"<u{min(self.array.chunk, 32) // PIECE}"
            self.masks[:, slot] = np.ascontiguousarray(beat["mask"], dtype=kind).view(np.uint8)
            self.produce += 1
            self.word = 0

    def step(self, is_drained: bool) -> None:
        """Pass one cycle of a running layer, the last stage first."""
        self.count += self.finishes[-1]
        self.count -= is_drained
        self.released = self.released + self.release[-1]
        self._multiply()
        self._fetch()
        self._rank()
        self._join(is_drained)

    def _multiply(self) -> None:
        """Select, multiply and add."""
        pe = np.flatnonzero(self.valid[3])
        self.events["psum_writes"] += len(pe)
        multiplies = int(np.count_nonzero(self.valid[2]))
        self.events["macs"] += multiplies
        self.events["psum_reads"] += multiplies
        row, bank = self.target[3][:, pe]
        total = self.acc[bank, row, pe, 0] + self.product[pe]
        self.acc[bank, row, pe, 0] = wrap(total, self.numbers.psum_width)
        self.product = self.weight * self.act
        self.weight, self.act = self.value_data, self.act_data

    def _fetch(self) -> None:
        """Read both values of a pair."""
        pe = np.flatnonzero(self.valid[0])
        self.events["value_reads"] += len(pe)
        self.events["buffer_reads"] += len(pe)
        self.value_data, self.act_data = self.value_data.copy(), self.act_data.copy()
        self.value_data[pe] = self.values[pe, self.value_addr[pe]]
        self.act_data[pe] = self.acts[self.cluster[pe], self.act_slot[pe], self.act_rank[pe]]

    def _rank(self) -> None:
        """Add up the prefixes of both masks."""
        start, slot, row, bank = self.rank_route
        self.value_addr = start + np.bitwise_count(self.weight_below).sum(axis=1, dtype=np.int64)
        self.act_rank = np.bitwise_count(self.act_below).sum(axis=1, dtype=np.int64)
        self.act_slot = slot
        self.valid = [self.pair_valid, *self.valid[:3]]
        self.target = [np.stack((row, bank)), *self.target[:3]]

    def _join(self, is_drained: bool) -> None:
        """Encode the lowest pending position, and take the next masks after the last one."""
        pending = self.pending
        has_pair = self.busy & pending.any(axis=1)
        piece = np.argmax(pending != 0, axis=1)
        word = pending[self.pe, piece]
        below = np.where(np.arange(pending.shape[1]) < piece[:, None], np.uint8(255), np.uint8(0))
        below[self.pe, piece] = ~word & (word - np.uint8(1))
        self.pair_valid, self.rank_route = has_pair, self.route
        self.weight_below, self.act_below = self.weight_q & below, self.act_q & below

        remaining = pending.copy()
        remaining[self.pe, piece] = word & (word - np.uint8(1))
        ends = self.busy & ~remaining.any(axis=1)
        self.release = [ends & self.ends_chunk_q, *self.release[:-1]]
        self.finishes = [ends & self.ends_pixel_q, *self.finishes[:-1]]

        is_ready = (~self.busy | ends) & (self.ahead != self.array.acc_banks)
        loads = self.step_valid & is_ready
        self.events["joins"] += int(np.count_nonzero(loads))
        column = loads[:, None]
        self.pending = np.where(column, self.step_weight & self.step_act, remaining)
        self.weight_q = np.where(column, self.step_weight, self.weight_q)
        self.act_q = np.where(column, self.step_act, self.act_q)
        self.busy = loads | (self.busy & ~ends)
        here = np.stack((self.start_addr, self.step_slot, self.step_row, self.bank))
        self.route = np.where(loads, here, self.route)
        self.ends_chunk_q = np.where(loads, self.step_ends_chunk, self.ends_chunk_q)
        self.ends_pixel_q = np.where(loads, self.step_ends_pixel, self.ends_pixel_q)
        ends_pixel = loads & self.step_ends_pixel
        stored = np.bitwise_count(self.step_weight).sum(axis=1, dtype=np.int64)
        self.start_addr = np.where(ends_pixel, 0, self.start_addr + loads * stored)
        self.bank = (self.bank + ends_pixel) % self.array.acc_banks
        self.ahead = self.ahead + ends_pixel - is_drained
        self._walk(loads)

    def _walk(self, loads: Bools) -> None:
        """Fetch the masks of the next step."""
        fetches = (self.walked != self.produce) & (~self.step_valid | loads)
        self.step_valid = fetches | (self.step_valid & ~loads)
        reads = int(np.count_nonzero(fetches))
        self.events["mask_reads"] += reads
        self.events["buffer_mask_reads"] += reads
        slot = self.walked % self.array.buffer_depth
        ends_chunk = fetches & (self.row + 1 == self.rows)
        ends_pixel = ends_chunk & (self.chunk + 1 == self.chunks)
        column = fetches[:, None]
        self.step_weight = np.where(column, self.weights[self.pe, self.addr], self.step_weight)
        self.step_act = np.where(column, self.masks[self.cluster, slot], self.step_act)
        self.step_row = np.where(fetches, self.row, self.step_row)
        self.step_slot = np.where(fetches, slot, self.step_slot)
        self.step_ends_chunk = np.where(fetches, ends_chunk, self.step_ends_chunk)
        self.step_ends_pixel = np.where(fetches, ends_pixel, self.step_ends_pixel)
        self.row = np.where(ends_chunk, 0, self.row + fetches)
        self.chunk = np.where(ends_pixel, 0, self.chunk + ends_chunk)
        self.addr = np.where(ends_pixel, 0, self.addr + fetches)
        self.walked = self.walked + ends_chunk
