"""IDX files: a round trip, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from hwsim.datasets import idx
from hwsim.errors import InputError

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@settings(deadline=None, max_examples=50)
@given(values=arrays(np.uint8, array_shapes(min_dims=1, max_dims=3, max_side=6)))
def test_round_trip(values):
    np.testing.assert_array_equal(idx.parse(idx.serialize(values), "a", values.shape), values)


def test_layout_is_the_published_one():
    assert idx.serialize(IMAGES)[:16].hex() == "00000803000000020000000300000004"
    assert idx.serialize(IMAGES)[16:] == bytes(range(24))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a: magic: must be 0x00000803: unsigned bytes in 3 dimension"),
        (b"\0\0\x08", "a: magic: must be 0x00000803"),
        (idx.serialize(IMAGES[0]), "a: magic = '0x00000802': must be 0x00000803"),
        (b"\x1f\x8b\x08\x00rest", "a: magic = '0x1f8b0800': must be 0x00000803"),
        (idx.serialize(IMAGES)[:10], "a: is truncated: 10 bytes, header has 16"),
        (idx.serialize(IMAGES)[:-1], "a: must be 40 bytes, not 39"),
        (idx.serialize(IMAGES) + b"\0", "a: must be 40 bytes, not 41"),
        (idx.serialize(IMAGES[:1]), r"a: sizes = \(1, 3, 4\): must be \(2, 3, 4\)"),
    ],
    ids=["empty", "short", "labels", "gzip", "header", "truncated", "longer", "count"],
)
def test_another_file_is_refused(content, message):
    with pytest.raises(InputError, match=message):
        idx.parse(content, "a", IMAGES.shape)


@settings(deadline=None, max_examples=200)
@given(content=st.binary(max_size=48))
def test_random_bytes_are_never_a_traceback(content):
    with pytest.raises(InputError):
        idx.parse(content, "a", (2, 3, 4, 5))
