"""Images from files and from nowhere."""

from __future__ import annotations

import io

import numpy as np
import pytest

from hwsim.config import NetworkConfig
from hwsim.errors import InputError
from hwsim.inference import images as inputs


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
