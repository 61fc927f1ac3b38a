"""The PEs of the bitmask array, cycle by cycle: state vectorised over PEs."""

from __future__ import annotations

from typing import NamedTuple

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


class _Step(NamedTuple):
    """One chunk of one local filter of every PE."""

    valid: Bools
    row: Ints
    slot: Ints
    ends_chunk: Bools
    ends_pixel: Bools


class PEs:
    """All PEs: mask walk, inner join, multiplier, accumulators; registers as in ``rtl``.

    The buffers of all clusters are filled together, so one ring of slots stands for all of them.
    """

    def __init__(self, arch: ArchConfig) -> None:
        array = arch.array_as(BitmaskConfig)
        self.events = dict.fromkeys(array.pe_strobes, 0)
        self.array, self.numbers = array, arch.numbers
        size, pieces = array.pes, array.chunk // PIECE
        self.pe = np.arange(size)
        self.cluster = self.pe // array.cluster_pes
        self.rows = self.masks_of_pixel = 0
        self.weights: Masks = np.zeros((size, array.mask_depth, pieces), dtype=np.uint8)
        self.values = np.zeros((size, array.entry_depth), dtype=np.int64)

        # buffers, position by position: the mask of the chunk that is written tells the positions
        depth = array.buffer_depth
        self.mask_beats = array.mask_beats(arch.numbers)
        self.produce = self.beat = 0
        self.acts = np.zeros((array.clusters, depth, array.chunk), dtype=np.int64)
        self.masks: Masks = np.zeros((array.clusters, depth, pieces), dtype=np.uint8)
        # walk: the mask that is fetched ahead, and the step that is offered
        self.walked, self.released = self._ints(), self._ints()
        self.row, self.addr = self._ints(), self._ints()
        self.fetched, self.is_last = self._bools(), self._bools()
        none = self._bools()
        self.offered = _Step(none, self._ints(), self._ints(), none, none)
        self.fetched_weight, self.offered_weight = self._masks(), self._masks()
        # join: a byte of both masks, what is below it, and where its values and sums lie
        self.left = np.ones((size, pieces), dtype=np.bool_)
        self.busy = self._bools()
        self.pending, self.weight_byte = self._bytes(), self._bytes()
        self.base, self.byte, self.total = self._ints(), self._ints(), self._ints()
        self.ends_chunk_q, self.ends_pixel_q = self._bools(), self._bools()
        self.start_addr, self.bank, self.ahead = self._ints(), self._ints(), self._ints()
        # first row of the pixel, and what it moves by where the sums of all pixels stay
        self.base_row, self.step_rows = self._ints(), 0
        self.route = np.zeros((3, size), dtype=np.int64)  # slot, row, bank
        # fetch, capture, multiply, add: valid, and (row, bank) of the pair
        self.valid = [self._bools() for _ in range(4)]
        self.target = [np.zeros((2, size), dtype=np.int64) for _ in range(4)]
        self.value_addr, self.act_slot, self.position = self._ints(), self._ints(), self._ints()
        self.value_data, self.act_data = self._ints(), self._ints()
        self.weight, self.act, self.product = self._ints(), self._ints(), self._ints()
        self.finishes = [self._bools() for _ in range(4)]
        self.count = self._ints()
        self.acc = np.zeros((array.acc_banks, array.acc_depth, size, 1), dtype=np.int64)

    def _ints(self) -> Ints:
        return np.zeros(self.array.pes, dtype=np.int64)

    def _bools(self) -> Bools:
        return np.zeros(self.array.pes, dtype=np.bool_)

    def _bytes(self) -> NDArray[np.uint8]:
        return np.zeros(self.array.pes, dtype=np.uint8)

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

    def start(self, rows: int, masks: int, *, stays: bool) -> None:
        """Begin a layer."""
        self.rows, self.masks_of_pixel = rows, masks
        self.step_rows = rows if stays else 0

    def stop(self) -> None:
        """The layer is over: what the cycle after it finds."""
        self.bank[:] = self.addr[:] = self.base_row[:] = 0
        self.fetched[:] = False

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
        has_pair = self.pending != 0
        return np.select(
            [
                self.busy & has_pair,
                self.busy,
                self.offered.valid & (self.ahead == self.array.acc_banks),
                self.offered.valid | (self.walked != self.produce),
            ],
            [CODE["mac"], CODE["empty"], CODE["drain"], CODE["fetch"]],
            CODE["buffer"] if more else CODE["done"],
        )

    def push(self, beat: Words) -> None:
        """Write a beat into every buffer; it is there from the next cycle on, so step first."""
        array = self.array
        slot = self.produce % array.buffer_depth
        if self.beat < self.mask_beats:
            self._push_mask(slot, beat["data"])
        else:
            first = (self.beat - self.mask_beats) * array.window
            values = wrap(beat["data"], self.numbers.act_width)
            for cluster, mask in enumerate(self.masks[:, slot]):
                positions = np.flatnonzero(np.unpackbits(mask, bitorder="little"))
                here = positions[first : first + array.window]
                self.acts[cluster, slot, here] = values[cluster, : len(here)]
        self.beat += 1
        if beat["last"]:
            self.produce += 1
            self.beat = 0

    def _push_mask(self, slot: int, words: Ints) -> None:
        """Write a part of the mask of every cluster."""
        chunk, bits = self.array.chunk, self.array.window * self.numbers.act_width
        mask = np.unpackbits(self.masks[:, slot], axis=1, bitorder="little")
        first = self.beat * bits
        part = (words[:, :, None] >> np.arange(self.numbers.act_width)) & 1
        size = min(bits, chunk - first)
        mask[:, first : first + size] = part.reshape(len(words), bits)[:, :size]
        self.masks[:, slot] = np.packbits(mask, axis=1, bitorder="little")

    def step(self, is_drained: bool) -> None:
        """Pass one cycle of a running layer, the last stage first."""
        self.count += self.finishes[-1]
        self.count -= is_drained
        self._multiply()
        self._fetch()
        self._join(is_drained)

    def _multiply(self) -> None:
        """Capture, multiply and add."""
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
        self.value_data, self.act_data = self.value_data.copy(), self.act_data.copy()
        self.value_data[pe] = self.values[pe, self.value_addr[pe]]
        self.act_data[pe] = self.acts[self.cluster[pe], self.act_slot[pe], self.position[pe]]

    def _join(self, is_drained: bool) -> None:
        """Encode the lowest position of the byte, and take the next byte after its last one."""
        slot, row, bank = self.route
        has_pair = self.busy & (self.pending != 0)
        below = ~self.pending & (self.pending - np.uint8(1))
        remaining = self.pending & (self.pending - np.uint8(1))
        rank = self.base + np.bitwise_count(self.weight_byte & below)
        self.value_addr = self.start_addr + rank
        self.act_slot, self.position = slot, self.byte * PIECE + np.bitwise_count(below)
        self.valid = [has_pair, *self.valid[:3]]
        self.target = [np.stack((row, bank)), *self.target[:3]]

        ends = self.busy & (remaining == 0)
        self.released = self.released + (ends & self.ends_chunk_q)
        self.finishes = [ends & self.ends_pixel_q, *self.finishes[:-1]]
        self.pending = remaining
        enters = self._pick(~self.busy | ends, is_drained)
        self.busy = enters | (self.busy & ~ends)

    def _pick(self, is_free: Bools, is_drained: bool) -> Bools:
        """Bring the lowest byte with a pair into the join, or any if there is none."""
        array, pe, step = self.array, self.pe, self.offered
        enters: Bools = step.valid & is_free & (self.ahead != array.acc_banks)
        acts = self.masks[self.cluster, step.slot]
        common = (self.offered_weight & acts != 0) & self.left
        byte = np.argmax(common, axis=1)
        is_last = common.sum(axis=1) <= 1
        counts = np.bitwise_count(self.offered_weight).astype(np.int64)
        before = np.cumsum(counts, axis=1) - counts

        is_first = enters & self.left.all(axis=1)
        start = np.where(self.ends_pixel_q, 0, self.start_addr + self.total)
        self.start_addr = np.where(is_first, start, self.start_addr)
        self.total = np.where(enters, counts.sum(axis=1), self.total)
        self.weight_byte = np.where(enters, self.offered_weight[pe, byte], self.weight_byte)
        both = self.offered_weight[pe, byte] & acts[pe, byte]
        self.pending = np.where(enters, both, self.pending)
        self.base = np.where(enters, before[pe, byte], self.base)
        self.byte = np.where(enters, byte, self.byte)
        here = np.stack((step.slot, step.row + self.base_row, self.bank))
        self.route = np.where(enters, here, self.route)
        taken = enters & is_last
        self.ends_chunk_q = np.where(enters, taken & step.ends_chunk, self.ends_chunk_q)
        self.ends_pixel_q = np.where(enters, taken & step.ends_pixel, self.ends_pixel_q)
        # the bytes above the one that enters are left; all, once the step is taken
        above = np.arange(self.left.shape[1]) > byte[:, None]
        self.left = np.where(enters[:, None], above | taken[:, None], self.left)

        self.events["joins"] += int(np.count_nonzero(taken))
        ends_pixel = taken & step.ends_pixel
        ends_round = ends_pixel & (self.bank == array.acc_banks - 1)
        self.base_row = self.base_row + self.step_rows * ends_round
        self.bank = (self.bank + ends_pixel) % array.acc_banks
        self.ahead = self.ahead + ends_pixel - is_drained
        self._walk(taken)
        return enters

    def _walk(self, taken: Bools) -> None:
        """Offer the next step, and fetch the mask of weights of the one after it."""
        offered, is_available = self.offered, self.walked != self.produce
        moves = self.fetched & is_available & (~offered.valid | taken)
        fetches = ~self.fetched | moves
        self.events["mask_reads"] += int(np.count_nonzero(fetches))
        ends_chunk = self.row + 1 == self.rows
        slot = self.walked % self.array.buffer_depth
        here = (self.row, slot, ends_chunk, self.is_last)
        kept = [np.where(moves, a, b) for a, b in zip(here, offered[1:], strict=True)]
        self.offered = _Step(moves | (offered.valid & ~taken), *kept)
        self.offered_weight = np.where(moves[:, None], self.fetched_weight, self.offered_weight)
        self.row = np.where(moves, np.where(ends_chunk, 0, self.row + 1), self.row)
        self.walked = self.walked + (moves & ends_chunk)

        mask, column = self.weights[self.pe, self.addr], fetches[:, None]
        ends_pixel = self.addr + 1 == self.masks_of_pixel
        self.fetched_weight = np.where(column, mask, self.fetched_weight)
        self.is_last = np.where(fetches, ends_pixel, self.is_last)
        self.addr = np.where(fetches, np.where(ends_pixel, 0, self.addr + 1), self.addr)
        self.fetched = self.fetched | fetches
