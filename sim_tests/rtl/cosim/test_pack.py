"""Packing equals Amaranth's own layouts, bit for bit."""

import numpy as np
import pytest
from amaranth import signed, unsigned
from amaranth.lib import data
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.rtl.cosim.pack import from_ints, pack, to_ints, to_npz, unpack
from hwsim.rtl.emit.sidecar import describe

scalars = st.builds(
    lambda width, sign: signed(width) if sign else unsigned(width),
    st.integers(1, 48),
    st.booleans(),
)
arrays = st.builds(data.ArrayLayout, scalars, st.integers(1, 5))
nested = st.builds(data.ArrayLayout, arrays, st.integers(1, 3))
layouts = st.dictionaries(
    st.sampled_from("abcde"), scalars | arrays | nested, min_size=1, max_size=4
).map(data.StructLayout)


def draw(layout, rng, transfers):
    words = {}
    for field in describe(layout)["fields"]:
        low = -(1 << (field["width"] - 1)) if field["signed"] else 0
        high = low + (1 << field["width"])
        values = rng.integers(low, high, (transfers, *field["shape"]))
        values.flat[0], values.flat[-1] = low, high - 1
        words[field["name"]] = values
    return words


@settings(deadline=None, max_examples=60)
@given(layouts, st.integers(0, 2**32 - 1))
def test_pack_equals_the_layout(layout, seed):
    words = draw(layout, np.random.default_rng(seed), 3)
    limbs = pack(words, describe(layout))
    expected = [
        layout.const({name: values[row].tolist() for name, values in words.items()}).as_bits()
        for row in range(3)
    ]
    assert to_ints(limbs) == expected
    assert np.array_equal(from_ints(expected, layout.size), limbs)
    found = unpack(limbs, describe(layout))
    assert list(found) == list(words)
    for name, values in words.items():
        assert np.array_equal(found[name], values)


LAYOUT = describe(data.StructLayout({"a": signed(4), "b": data.ArrayLayout(unsigned(3), 2)}))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"a": [0]}, "must have the fields"),
        ({"a": [0], "b": [[1, 2, 3]]}, "must have the shape"),
        ({"a": [8], "b": [[1, 2]]}, r"field a must be -8\.\.7, not 8"),
        ({"a": [-9], "b": [[1, 2]]}, "not -9"),
        ({"a": [0], "b": [[-1, 2]]}, r"field b must be 0\.\.7, not -1"),
    ],
)
def test_words_that_do_not_fit_are_refused(words, message):
    with pytest.raises(ValueError, match=message):
        pack({name: np.array(values) for name, values in words.items()}, LAYOUT)


def test_no_words_are_no_limbs():
    words = {"a": np.zeros(0, int), "b": np.zeros((0, 2), int)}
    assert to_ints(pack(words, LAYOUT)) == []


def test_archive_is_read_by_numpy(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(to_npz({"0.act": np.arange(3), "cases": np.array(2)}))
    with np.load(path) as file:
        assert file["0.act"].tolist() == [0, 1, 2]
        assert int(file["cases"]) == 2


def test_a_struct_in_a_layout_is_refused():
    inner = data.StructLayout({"x": 1})
    with pytest.raises(TypeError, match="field a must be a scalar"):
        describe(data.StructLayout({"a": inner}))
