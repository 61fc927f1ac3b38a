"""Every reader of files, with files that it reads, and how these are damaged."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from harness.commands import ROOT
from harness.liberty import library

from torture import mutate
from torture.mutate import Mutation

__all__ = ["READERS", "Reader"]

CONFIGS = ROOT / "configs"
CHECKPOINTS = ROOT / "models" / "checkpoints"


@dataclass(frozen=True)
class Reader:
    """A reader: what it reads, how that is damaged, and what reads it.

    ``seeds`` gives the contents of files that are read; ``read`` reads the file of a path, and may
    raise ``InputError`` alone.
    """

    suffix: str
    seeds: Callable[[], Sequence[bytes]]
    mutation: Mutation
    read: Callable[[Path], Any]


def _files(*patterns: str) -> Callable[[], list[bytes]]:
    def read() -> list[bytes]:
        found = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
        assert found, patterns
        return [path.read_bytes() for path in found]

    return cache(read)


def _config(module: str, name: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        from importlib import import_module

        return getattr(import_module(module), name).read(path)

    return read


def _recipe(path: Path) -> Any:
    from hwsim.config.jobs.synthetic import read_recipe

    return read_recipe(path)


def _memories(path: Path) -> Any:
    from hwsim.config.base import load
    from hwsim.config.tech import SRAMConfig

    return load(SRAMConfig, path)


@cache
def _srams() -> list[bytes]:
    import yaml

    from hwsim.config.tech import TechConfig

    srams = [TechConfig.read(name).sram for name in ("45nm", "sg13g2")]
    return [
        yaml.safe_dump(sram.model_dump(exclude_none=True)).encode()
        for sram in srams
        if sram is not None
    ]


def _checkpoint(path: Path) -> Any:
    from hwsim.checkpoints.checkpoint import Checkpoint

    return Checkpoint.read(path)


def _network_of(path: Path) -> Any:
    from hwsim.api import read_network

    return read_network(path)


def _state_dict(path: Path) -> Any:
    from hwsim.config import NetworkConfig
    from hwsim.models.importers import state_dict, torchvision

    return torchvision.load(NetworkConfig.read("digits3x3"), state_dict.read(path), str(path))


def _tensors() -> dict[str, np.ndarray]:
    from hwsim.config import NetworkConfig
    from hwsim.workload.lowering import weight_shape

    rng = np.random.default_rng(1)
    tensors = {}
    for shape in NetworkConfig.read("digits3x3").shapes():
        if shape.has_weights:
            size = weight_shape(shape)
            tensors[f"{shape.layer.name}.weight"] = rng.normal(0, 0.1, size).astype(np.float32)
            tensors[f"{shape.layer.name}.bias"] = rng.normal(0, 0.1, size[0]).astype(np.float32)
    return tensors


@cache
def _safetensors() -> list[bytes]:
    from safetensors.numpy import save

    tensors = _tensors()
    half = {name: tensor.astype(np.float16) for name, tensor in tensors.items()}
    return [save(tensors), save(half), save({f"module.{n}": t for n, t in tensors.items()})]


@cache
def _pickles() -> list[bytes]:
    import torch

    state = {name: torch.tensor(tensor) for name, tensor in _tensors().items()}
    first = next(iter(state))
    contents = [
        state,
        {"model": state, "epoch": 3},
        state | {first: state[first].to_sparse()},
        {name: tensor.to(torch.bfloat16) for name, tensor in state.items()},
    ]
    found = []
    for index, content in enumerate(contents):
        block = io.BytesIO()
        torch.save(content, block, _use_new_zipfile_serialization=index != 1)
        found.append(block.getvalue())
    return found


@cache
def _models() -> list[bytes]:
    """Small ONNX models: convolutions, normalization, branches, pools, matrix products."""
    import tempfile

    from harness.onnx_cases import Model

    found = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in range(4):
            model = Model(seed=kind)
            x = model.conv("x", 4, 3, pads=[1] * 4) if kind else "x"
            x = model.conv(x, 4, 4 if kind else 3, 1, bias=False)
            x = model.node("Relu", model.batch_norm(x, 4))
            if kind == 1:
                x = model.node("Add", x, model.conv(x, 4, 4, 1))
            if kind == 2:
                x = model.node("Concat", x, model.node("Sigmoid", x), axis=1)
            if kind == 3:
                x = model.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
            x = model.node("Flatten", model.node("GlobalAveragePool", x))
            channels = 8 if kind == 2 else 4
            x = model.node("Gemm", x, model.random(5, channels), model.random(5), transB=1)
            found.append(model.save(Path(folder), x).read_bytes())
    return found


def _onnx(path: Path) -> Any:
    from hwsim.models.importers import source

    return source.read(str(path), None)


def _images(path: Path) -> Any:
    from hwsim.config import NetworkConfig
    from hwsim.inference import images

    return images.read(path, NetworkConfig.read("digits3x3"))


@cache
def _arrays() -> list[bytes]:
    from hwsim.config import NetworkConfig

    size = NetworkConfig.read("digits3x3").input
    rng = np.random.default_rng(1)
    found = []
    for dtype in (np.uint8, np.float32):
        block = io.BytesIO()
        shape = (2, size.channels, size.height, size.width)
        np.save(block, rng.integers(0, 256, shape).astype(dtype))
        found.append(block.getvalue())
    return found


@cache
def _archives() -> list[bytes]:
    found = []
    for pack in (np.savez, np.savez_compressed):
        block = io.BytesIO()
        pack(block, images=np.load(io.BytesIO(_arrays()[0])), labels=np.arange(2))
        found.append(block.getvalue())
    return found


@cache
def _photos() -> list[bytes]:
    from PIL import Image

    rng = np.random.default_rng(1)
    picture = Image.fromarray(rng.integers(0, 256, (20, 24, 3)).astype(np.uint8))
    found = []
    for kind, mode in (("PNG", "RGB"), ("PNG", "P"), ("PNG", "LA"), ("JPEG", "RGB"), ("JPEG", "L")):
        block = io.BytesIO()
        picture.convert(mode).save(block, kind)
        found.append(block.getvalue())
    return found


def _photo(path: Path) -> Any:
    """The file alone in its folder."""
    return _images(path.parent)


def _idx(path: Path) -> Any:
    from hwsim.datasets import idx

    return idx.parse(path.read_bytes(), path, (3, 4, 5))


@cache
def _idx_files() -> list[bytes]:
    from hwsim.datasets import idx

    return [idx.serialize(np.arange(60, dtype=np.uint8).reshape(3, 4, 5))]


def _liberty(path: Path) -> Any:
    from hwsim.rtl.synth.liberty import read_corner

    return read_corner(path)


def _log(path: Path) -> Any:
    from hwsim.models.compress import log

    return log.read(path)


def _heldout(path: Path) -> Any:
    from hwsim.checkpoints import heldout

    heldout.read.cache_clear()
    return heldout.read(path)


@cache
def _heldout_files() -> list[bytes]:
    return [b"".join((CHECKPOINTS / "heldout.csv").read_bytes().splitlines(keepends=True)[:6])]


def _store(path: Path) -> Any:
    from hwsim.sweeps.store import Store

    path.with_name(path.name + "-wal").unlink(missing_ok=True)
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    with Store.open(path) as store:
        found = list(store.rows([f"key{index}" for index in range(8)]))
        return [store.layers(row.key) for row in found]


@cache
def _stores() -> list[bytes]:
    import tempfile

    from hwsim.sweeps.store import Row, Store

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.sqlite"
        with Store.open(path) as store:
            for index in range(8):
                layers = [{"layer": "a", "cycles": index}]
                fields, result = {"arch": "x"}, {"cycles": 3.0}
                store.put(Row(f"key{index}", "done", fields, "", result, layers=layers))
        return [path.read_bytes()]


def _resume(path: Path) -> Any:
    import torch

    from hwsim.config import NetworkConfig
    from hwsim.models.compress.stages import State
    from hwsim.models.networks.network import Network

    state = State(Network(NetworkConfig.read("digits3x3")), torch.Generator())
    return state.restore(path, "recipe")


@cache
def _resumes() -> list[bytes]:
    import tempfile

    import torch

    from hwsim.config import NetworkConfig
    from hwsim.models.compress.stages import State
    from hwsim.models.networks.network import Network

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.pt"
        State(Network(NetworkConfig.read("digits3x3")), torch.Generator()).save(path, "recipe")
        return [path.read_bytes()]


def _record(path: Path) -> Any:
    from hwsim.models.search.hardware_aware import Record

    return Record(path, "question").find({"a": 1}, frozenset())


def _record_files() -> list[bytes]:
    point = (
        b'{"number": 0, "kept": {"a": 1}, "restored": ["b"], "accuracy": 0.9, "costs": {"a": 2.0}}'
    )
    return [b'{"question": "question", "points": [' + point + b", " + point + b"]}"]


def _named(path: Path) -> Any:
    """A damaged name in place of a damaged file."""
    from hwsim import api
    from hwsim.errors import InputError

    name = path.read_bytes().decode("utf-8", "surrogateescape")
    for read in (api.read_arch, api.read_network, api.read_checkpoint):
        try:
            read(name)
        except InputError as error:
            last = error
    raise last


def _names() -> list[bytes]:
    return [b"csc_16x4", b"lenet5", b"lenet5_dense", b"a/b.yaml", b"x.onnx", b"w.safetensors"]


#: Reader by name.
READERS: dict[str, Reader] = {
    "design": Reader(
        ".yaml", _files("configs/arch/*.yaml", "configs/machine/*.yaml"), mutate.data,
        _config("hwsim.config", "ArchConfig"),
    ),
    "network": Reader(
        ".yaml", _files("configs/network/*.yaml"), mutate.data,
        _config("hwsim.config", "NetworkConfig"),
    ),
    "memory": Reader(
        ".yaml", _files("configs/memory/*.yaml"), mutate.data,
        _config("hwsim.config", "MemoryConfig"),
    ),
    "study": Reader(
        ".yaml", _files("configs/study/*.yaml"), mutate.data,
        _config("hwsim.config.jobs.study", "StudyConfig"),
    ),
    "sweep": Reader(
        ".yaml", _files("configs/sweep/*.yaml"), mutate.data,
        _config("hwsim.config.jobs.sweep", "SweepConfig"),
    ),
    "recipe": Reader(".yaml", _files("configs/compress/*.yaml"), mutate.data, _recipe),
    "storage table": Reader(
        ".yaml", _files("configs/storage/*.yaml"), mutate.data,
        _config("hwsim.config.jobs.storage", "StorageConfig"),
    ),
    "technology": Reader(
        ".yaml", _files("configs/tech/45nm.yaml"), mutate.data,
        _config("hwsim.config.tech", "TechConfig"),
    ),
    "memories of a technology": Reader(".yaml", _srams, mutate.data, _memories),
    "topology": Reader(
        ".csv", lambda: [
            b"Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, "
            b"Num Filter, Strides,\nConv1, 20, 20, 3, 3, 4, 8, 1,\n"
            b"FC, 1, 1, 1, 1, 64, 10, 1, 1:2\n",
            b"Layer, M, N, K,\nG1, 8, 4, 12,\n\"G 2\", 3, 4, 5, 2:4\n",
        ], mutate.text, _config("hwsim.config", "NetworkConfig"),
    ),
    "checkpoint": Reader(
        ".safetensors", _files("models/checkpoints/digits3x3_*.safetensors"), mutate.header,
        _checkpoint,
    ),
    "network of a checkpoint": Reader(
        ".safetensors", _files("models/checkpoints/digits3x3_dense.safetensors"), mutate.header,
        _network_of,
    ),
    "state dict": Reader(".safetensors", _safetensors, mutate.header, _state_dict),
    "PyTorch's state dict": Reader(".pth", _pickles, mutate.bytes_, _state_dict),
    "ONNX": Reader(".onnx", _models, mutate.message, _onnx),
    "array of images": Reader(".npy", _arrays, mutate.bytes_, _images),
    "archive of images": Reader(".npz", _archives, mutate.bytes_, _images),
    "PNG": Reader(".png", _photos, mutate.bytes_, _photo),
    "JPEG": Reader(".jpg", lambda: _photos()[3:], mutate.bytes_, _photo),
    "IDX": Reader(".idx", _idx_files, mutate.bytes_, _idx),
    "Liberty": Reader(".lib", lambda: [library().encode()], mutate.text, _liberty),
    "log of training": Reader(
        ".csv", _files("models/checkpoints/digits3x3_*.csv"), mutate.text, _log
    ),
    "record of images": Reader(".csv", _heldout_files, mutate.text, _heldout),
    "store of points": Reader(".sqlite", _stores, mutate.bytes_, _store),
    "state of training": Reader(".pt", _resumes, mutate.bytes_, _resume),
    "record of a search": Reader(".json", _record_files, mutate.text, _record),
    "name": Reader(".name", _names, mutate.text, _named),
}  # fmt: skip
