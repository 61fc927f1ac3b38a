"""The picture of all formats: every bit drawn is a bit counted, and the page shows the latest."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

PICTURE = Path(__file__).parents[3] / "docs" / "pictures" / "formats.py"


def _load():
    spec = importlib.util.spec_from_file_location("docs_pictures_formats", PICTURE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


picture = _load()


@pytest.mark.parametrize("name", picture.FORMATS)
def test_bits_drawn_are_the_bits_counted(name):
    drawing = picture.FORMATS[name](picture.weights())
    drawn = dict.fromkeys(picture.KINDS, 0)
    for _, fields in drawing.memories:
        for field in fields:
            assert set(field.bits) <= {"0", "1"}
            drawn[field.kind] += len(field.bits)
    assert drawn | {"total": sum(drawn.values())} == drawing.size.to_dict()


def test_the_layer_has_patterns_and_two_of_every_four():
    weight = picture.weights()
    assert weight.shape == (4, 36)
    kernels = weight.reshape(4, 9, 4)
    assert set(np.count_nonzero(kernels, axis=1).flat) == {0, 4}
    assert np.count_nonzero(kernels, axis=2).max() == 2


def test_the_page_shows_the_latest_picture(tmp_path):
    written = picture.write(tmp_path / "formats.svg")
    ElementTree.parse(written)
    assert written.stat().st_size < 300_000
    command = "python docs/pictures/formats.py writes it"
    assert written.read_bytes() == PICTURE.with_suffix(".svg").read_bytes(), command
