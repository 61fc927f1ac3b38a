"""Images from files and from nowhere."""

from __future__ import annotations

import io

import numpy as np
import pytest

from hwsim.config import NetworkConfig
from hwsim.errors import InputError
from hwsim.inference import images as inputs
from hwsim.inference.normalization import Normalization


def network(channels: int = 3, height: int = 6, width: int = 5) -> NetworkConfig:
    layers = [{"name": "pool", "type": "globalavgpool"}]
    size = {"channels": channels, "height": height, "width": width}
    return NetworkConfig.model_validate({"name": "net", "input": size, "layers": layers})


def refused(path, line: str, config: NetworkConfig | None = None) -> None:
    with pytest.raises(InputError, match=line) as caught:
        inputs.read(path, config or network())
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_npy_and_npz_hold_the_same(tmp_path, dtype):
    images = np.random.default_rng(0).integers(0, 200, (4, 3, 6, 5)).astype(dtype)
    np.save(tmp_path / "x.npy", images)
    np.savez(tmp_path / "one.npz", anything=images)
    np.savez_compressed(tmp_path / "two.npz", images=images, labels=np.arange(4))
    for name in ("x.npy", "one.npz", "two.npz"):
        read = inputs.read(tmp_path / name, network())
        assert read.dtype == (np.uint8 if dtype == np.uint8 else np.float32)
        np.testing.assert_array_equal(read, images)


def test_gray_images_may_lack_the_channel(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((4, 6, 5), dtype=np.uint8))
    assert inputs.read(tmp_path / "x.npy", network(1)).shape == (4, 1, 6, 5)
    refused(tmp_path / "x.npy", r"shape = \(4, 6, 5\): must be \(images, 3, 6, 5\) for net")


def test_what_is_no_such_file_is_refused(tmp_path):
    path = tmp_path / "x.npy"
    refused(path, "cannot be read: No such file")
    for content in (b"", b"text", b"PK\x03\x04 broken", b"\x93NUMPY\x01\x00"):
        path.write_bytes(content)
        refused(path, r"must be a \.npy or \.npz file of numbers")
    np.save(path, np.array([{"code": 1}], dtype=object), allow_pickle=True)
    refused(path, r"must be a \.npy or \.npz file of numbers")


@pytest.mark.parametrize(
    ("array", "line"),
    [
        (np.ones((4, 6, 5, 3)), r"shape = \(4, 6, 5, 3\): must be \(images, 3, 6, 5\)"),
        (np.ones((0, 3, 6, 5)), r"shape = \(0, 3, 6, 5\): must be"),
        (np.ones(3), r"shape = \(3,\): must be"),
        (np.ones((1, 3, 6, 5), dtype=np.int64), "dtype = 'int64': must be uint8"),
        (np.full((1, 3, 6, 5), np.nan), "must hold finite numbers"),
        (np.full((1, 3, 6, 5), "a"), "dtype = '<U1': must be"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path, array, line):
    np.save(tmp_path / "x.npy", array)
    refused(tmp_path / "x.npy", line)


def test_an_npz_must_say_which(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.ones(1), b=np.ones(1))
    refused(tmp_path / "x.npz", r"must have an array 'images', not \['a', 'b'\]")


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path, seed):
    buffer = io.BytesIO()
    images = np.ones((2, 3, 6, 5), dtype=np.uint8)
    (np.save if seed % 2 else np.savez_compressed)(buffer, images)
    content = bytearray(buffer.getvalue())
    rng = np.random.default_rng(seed)
    for place in rng.integers(len(content), size=1 + seed % 3):
        content[place] = rng.integers(256)
    path = tmp_path / "x.npy"
    path.write_bytes(bytes(content[: None if seed % 5 else int(rng.integers(len(content)))]))
    try:
        inputs.read(path, network())
        message = f"{path}: read"
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    assert message.startswith(str(path))


@pytest.mark.parametrize("size", [(3, 32, 32), (1, 28, 28), (3, 7, 1), (5, 1, 1), (2, 1, 9)])
def test_random_images_are_normalised_and_seeded(size):
    config = network(*size)
    images = inputs.random(config, 6, seed=4)
    assert images.shape == (6, *size)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, inputs.random(config, 6, seed=4))
    assert not np.array_equal(images, inputs.random(config, 6, seed=5))
    assert np.isfinite(images).all()
    if size[1] * size[2] > 1:
        np.testing.assert_allclose(images.mean(axis=(2, 3)), 0, atol=1e-5)
        np.testing.assert_allclose(images.std(axis=(2, 3)), 1, atol=1e-4)


def test_neighbours_in_a_random_image_are_alike():
    images = inputs.random(network(3, 64, 64), 4)
    down = (images[:, :, 1:] * images[:, :, :-1]).mean()
    across = (images[..., 1:] * images[..., :-1]).mean()
    assert min(down, across) > 0.7


def pictures(folder, sizes, seed=0):
    """Photographs of some sizes, two in a folder of a class."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    (folder / "class").mkdir(parents=True)
    for index, (name, (width, height)) in enumerate(sizes.items()):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / ("class" if index > 1 else ".") / name)


def test_a_folder_of_photographs_is_scaled_and_cropped(tmp_path):
    from PIL import Image

    pictures(tmp_path / "all", {"b.png": (40, 20), "a.JPG": (5, 6), "z.jpeg": (9, 30)})
    (tmp_path / "all" / "notes.txt").write_text("no picture")
    read = inputs.read(tmp_path / "all", network())
    assert (read.shape, read.dtype) == ((3, 3, 6, 5), np.uint8)
    # of its own size, as it is; then the middle of the wide one
    own = np.asarray(Image.open(tmp_path / "all/a.JPG"))
    np.testing.assert_array_equal(read[0].transpose(1, 2, 0), own)
    wide = Image.open(tmp_path / "all/b.png")
    box = (20 - 20 * 5 / 6 / 2, 0, 20 + 20 * 5 / 6 / 2, 20)
    middle = np.asarray(wide.resize((5, 6), Image.Resampling.BICUBIC, box=box))
    np.testing.assert_array_equal(read[1].transpose(1, 2, 0), middle)
    assert inputs.read(tmp_path / "all", network(1)).shape == (3, 1, 6, 5)
    assert len(inputs.read(tmp_path / "all", network(), most=2)) == 2


def test_pixels_are_normalised_and_floats_are_not(tmp_path):
    pictures(tmp_path / "all", {"a.png": (5, 6)})
    normal = Normalization.given([0.4, 0.5, 0.6], [0.25], network())
    assert normal is not None
    pixels = inputs.read(tmp_path / "all", network())
    found = inputs.read(tmp_path / "all", network(), normal)
    mean = np.array([0.4, 0.5, 0.6])[:, None, None]
    np.testing.assert_allclose(found, (pixels / 255 - mean) / 0.25, rtol=1e-6, atol=1e-6)
    assert Normalization.of({"other": 1} | normal.info) == normal
    assert Normalization.of({}) is None
    floats = np.ones((2, 3, 6, 5), np.float32)
    np.testing.assert_array_equal(inputs.checked(floats, network(), "x", normal), floats)


@pytest.mark.parametrize(
    ("mean", "std", "line"),
    [
        ([0.1, 0.2], None, "mean = (0.1, 0.2): must be one number, or 3"),
        (None, [1.0, 0.0, 1.0], "std = (1.0, 0.0, 1.0): must be positive"),
        ([float("inf")], None, "must be finite"),
    ],
)
def test_a_normalization_that_is_none_is_refused(mean, std, line):
    with pytest.raises(InputError) as caught:
        Normalization.given(mean, std, network())
    assert line in str(caught.value)


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "none").mkdir()
    refused(tmp_path / "none", r"must hold pictures: \.jpeg, \.jpg, \.png")
    pictures(tmp_path / "all", {"a.png": (5, 6)})
    refused(tmp_path / "all", "input channels = 4: must be 1 or 3", network(4))
    (tmp_path / "all" / "a.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(InputError, match=r"a\.png: cannot be read: cannot identify"):
        inputs.read(tmp_path / "all", network())
