"""Masks of a GEMM's operands, packed into words, without unrolling an ifmap."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hwsim.formats.base import flags
from hwsim.workload.conv import Conv
from hwsim.workload.gemm import GEMM

__all__ = ["Words", "act_masks", "column_masks", "full_masks", "ifmap_masks", "row_masks"]

#: Masks: words of ``min(chunk, 64)`` bits, lowest position first.
Words = NDArray[np.uint64]


def act_masks(gemm: GEMM, chunk: int, missing: int) -> Words:
    """Masks of the activations of a GEMM that has them, as :func:`column_masks`."""
    if gemm.ifmap is not None and gemm.conv is not None:
        return ifmap_masks(gemm.ifmap, gemm.conv, chunk, missing)
    assert gemm.matrix is not None
    return column_masks(gemm.matrix, chunk, missing)


def column_masks(values: NDArray[np.integer], chunk: int, missing: int) -> Words:
    """Masks of the columns of ``(K, N)``: ``(chunks, words, N + missing)``, zeros at the end."""
    num_rows, num_cols = values.shape
    width = min(chunk, 64)
    words = np.zeros((-(-num_rows // chunk) * (chunk // width), num_cols + missing), np.uint64)
    _set_bits(flags(values), width, words)
    return words.reshape(-1, chunk // width, num_cols + missing)


def ifmap_masks(ifmap: NDArray[np.integer], conv: Conv, chunk: int, missing: int) -> Words:
    """:func:`column_masks` of the unrolled ``ifmap``, from the words of its channels.

    The channels of each position of the ifmap are packed once. Each tap of the filter then meets a
    view of the packed words, which are shifted to where its channels begin in K.
    """
    width = min(chunk, 64)
    channels, pixels = conv.C, conv.images * conv.P * conv.Q
    depth = conv.R * conv.S * channels
    packed = np.stack(
        [column_masks(image.reshape(channels, -1), width, 0)[:, 0] for image in ifmap]
    ).reshape(conv.images, -1, conv.H, conv.W)
    words = np.zeros((-(-depth // chunk) * (chunk // width), pixels + missing), np.uint64)
    inside = np.uint64((1 << width) - 1)
    for index, tap in enumerate(conv.taps(packed)):
        for part in range(tap.shape[1]):
            line, shift = divmod(index * channels + part * width, width)
            bits = tap[:, part]
            target = words[line, :pixels].reshape(bits.shape)
            if shift == 0:
                target |= bits
                continue
            target |= (bits << np.uint64(shift)) & inside
            # a word of channels spans two words of the mask; beyond the last one nothing is set
            if line + 1 < len(words):
                target = words[line + 1, :pixels].reshape(bits.shape)
                target |= bits >> np.uint64(width - shift)
    return words.reshape(-1, chunk // width, pixels + missing)


def row_masks(weight: NDArray[np.integer], chunk: int) -> Words:
    """Masks of the rows of ``(M, K)``: ``(chunks, words, M)``, zeros at the end."""
    num_rows, num_cols = weight.shape
    width = min(chunk, 64) // 8
    packed = np.packbits(flags(weight), axis=1, bitorder="little")
    missing = -(-num_cols // chunk) * (chunk // 8) - packed.shape[1]
    by_word = np.pad(packed, ((0, 0), (0, missing))).reshape(-1, width)
    words = np.pad(by_word, ((0, 0), (0, 8 - width))).view("<u8")
    return words.reshape(num_rows, -1, chunk // 8 // width).transpose(1, 2, 0)


def full_masks(depth: int, chunk: int) -> Words:
    """Masks ``(chunks, words)`` of ``depth`` positions that are all non-zero."""
    return row_masks(np.ones((1, depth), dtype=np.int8), chunk)[:, :, 0]


@njit(cache=True, nogil=True)
def _set_bits(values, width, words):  # type: ignore[no-untyped-def]
    num_rows, num_cols = values.shape
    whole = num_rows // 8 * 8
    # eight rows a pass over the words; unsigned indices cannot count from the end
    for k in range(0, whole, 8):
        line, row, shift = k // width, np.uint64(k), np.uint64(k % width)
        for n in range(np.uint64(num_cols)):
            bits = np.uint64(0)
            for i in range(8):
                bits |= np.uint64(values[row + np.uint64(i), n] != 0) << np.uint64(i)
            words[line, n] |= bits << shift
    for k in range(whole, num_rows):
        for n in range(num_cols):
            words[k // width, n] |= np.uint64(values[k, n] != 0) << np.uint64(k % width)
