"""Weight codes: levels by hand, every code there and back, what has no code is named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.config import NumberConfig
from hwsim.errors import InputError
from hwsim.formats.codes import check, decode, encode, levels

#: Every code in every width that it has.
CODES = [
    *(("int", n) for n in range(2, 9)),
    *(("levels", n) for n in range(1, 9)),
    ("ternary", 2),
    *(("pow2", n) for n in range(2, 5)),
]


def numbers_of(code, width):
    return NumberConfig(weight_code=code, weight_width=width)


@pytest.mark.parametrize(
    ("code", "width", "expected"),
    [
        ("int", 2, [-2, -1, 0, 1]),
        ("int", 3, [-4, -3, -2, -1, 0, 1, 2, 3]),
        ("levels", 1, [-1, 1]),
        ("levels", 2, [-2, -1, 1, 2]),
        ("levels", 3, [-4, -3, -2, -1, 1, 2, 3, 4]),
        ("ternary", 2, [-1, 0, 1]),
        ("pow2", 2, [-1, 0, 1]),
        ("pow2", 3, [-4, -2, -1, 0, 1, 2, 4]),
        ("pow2", 4, [-64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64]),
    ],
)
def test_levels_by_hand(code, width, expected):
    assert levels(numbers_of(code, width)).tolist() == expected


@pytest.mark.parametrize(
    ("code", "width", "value", "pattern"),
    [
        ("int", 4, -1, 0b1111),
        ("levels", 1, 1, 0),
        ("levels", 1, -1, 1),
        ("levels", 4, 1, 0b0000),
        ("levels", 4, 8, 0b0111),
        ("levels", 4, -8, 0b1111),
        ("ternary", 2, -1, 0b11),
        ("pow2", 4, 0, 0b0000),
        ("pow2", 4, 1, 0b0001),
        ("pow2", 4, 64, 0b0111),
        ("pow2", 4, -2, 0b1010),
    ],
)
def test_patterns_by_hand(code, width, value, pattern):
    assert encode(np.array([value]), numbers_of(code, width)).tolist() == [pattern]


@pytest.mark.parametrize(("code", "width"), CODES)
def test_every_level_has_a_pattern_of_its_own(code, width):
    numbers = numbers_of(code, width)
    values = levels(numbers)
    patterns = encode(values, numbers)
    assert len(set(patterns.tolist())) == len(values)
    assert patterns.min() >= 0
    assert patterns.max() < 1 << width
    assert (decode(patterns, numbers) == values).all()
    assert (0 in values) == numbers.has_zero
    # what holds no weight (an unused lane, memory never written) is code 0
    assert not numbers.has_zero or encode(np.array([0]), numbers).tolist() == [0]


@pytest.mark.parametrize(("code", "width"), CODES)
def test_value_width_is_what_the_levels_need(code, width):
    numbers = numbers_of(code, width)
    values = levels(numbers)
    half = 1 << (numbers.value_width - 1)
    assert -half <= values.min()
    assert values.max() < half


@pytest.mark.parametrize(("code", "width"), CODES)
@pytest.mark.parametrize("act_width", [1, 2, 8, 16])
def test_product_width_holds_every_product(code, width, act_width):
    numbers = NumberConfig(act_width=act_width, weight_width=width, weight_code=code)
    ends = (-1, 1) if act_width == 1 else (-(1 << (act_width - 1)), (1 << (act_width - 1)) - 1)
    half = 1 << (numbers.product_width - 1)
    for weight in levels(numbers).tolist():
        for act in ends:
            assert -half <= weight * act < half


@given(st.sampled_from(CODES), st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5))
@settings(deadline=None, max_examples=80)
def test_decodes_to_the_same_weights(code, seed, rows, cols):
    numbers = numbers_of(*code)
    weight = np.random.default_rng(seed).choice(levels(numbers), (rows, cols)).astype(np.int16)
    assert (decode(encode(weight, numbers), numbers) == weight).all()


@pytest.mark.parametrize(
    ("code", "width", "value", "rule"),
    [
        ("int", 4, 8, "4-bit int"),
        ("int", 4, -9, "4-bit int"),
        ("levels", 4, 0, "4-bit levels"),
        ("levels", 4, 9, "4-bit levels"),
        ("levels", 1, 0, "1-bit levels"),
        ("ternary", 2, -2, "2-bit ternary"),
        ("pow2", 4, 3, "4-bit pow2"),
        ("pow2", 4, 128, "4-bit pow2"),
    ],
)
def test_encode_names_what_has_no_code(code, width, value, rule):
    weight = np.array([[1, -1], [1, value]])
    with pytest.raises(ValueError, match=rf"weight\[1, 1\] = {value}: must be a level of {rule}"):
        encode(weight, numbers_of(code, width))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
@pytest.mark.parametrize(("code", "width"), CODES)
def test_check_allows_the_levels_and_zero(code, width, dtype):
    numbers = numbers_of(code, width)
    values = levels(numbers)
    weight = np.append(values[values <= np.iinfo(dtype).max], 0).astype(dtype)[None]
    check("fc1", weight, numbers)
    check("fc1", weight[:, :0], numbers)


@pytest.mark.parametrize(
    ("code", "width", "value"),
    [("int", 4, 8), ("levels", 4, 9), ("levels", 1, -2), ("ternary", 2, 2), ("pow2", 4, -3),
     ("pow2", 3, 100)],
)  # fmt: skip
def test_check_names_layer_place_and_rule(code, width, value):
    weight = np.zeros((3, 4), np.int8)
    weight[2, 1] = value
    with pytest.raises(InputError, match=rf"^fc1: weight\[2, 1\] = {value}: must be"):
        check("fc1", weight, numbers_of(code, width))
