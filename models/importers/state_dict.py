"""Read named tensors from ``.pt``, ``.pth`` (PyTorch) and ``.safetensors``; no code is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from hwsim.errors import InputError
from hwsim.system import extras
from hwsim.system.reading import reading, said

__all__ = ["Tensors", "read"]

Tensors = dict[str, NDArray[np.float32]]

#: Keys under which training scripts save the state dict beside other data.
_WRAPPERS = ("state_dict", "model", "model_state_dict")
#: Prefixes that wrappers of a model add to every name.
_PREFIXES = ("module.", "_orig_mod.", "model.")
#: Ends of the names that ``torch.nn.utils.prune`` gives a weight and its mask.
_ORIGINAL, _MASK = "_orig", "_mask"
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


def read(path: Path | str) -> Tensors:
    """Read every floating-point tensor of a file, as float32, by name.

    Parameters
    ----------
    path
        A ``.pt``, ``.pth``, ``.bin`` or ``.safetensors`` file.

    Raises
    ------
    InputError
        The file cannot be read, is not a state dict, or holds more than tensors: Python objects of
        a pickle are code, and are refused without being loaded.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "", None, "no such file")
    if path.suffix.lower() == ".safetensors":
        tensors = _safetensors(path)
    elif path.suffix.lower() in {".pt", ".pth", ".bin"}:
        tensors = _torch(path)
    else:
        rule = "must be .pt, .pth, .bin (PyTorch) or .safetensors"
        raise InputError(path, "suffix", path.suffix, rule)
    if not tensors:
        raise InputError(path, "", None, "must hold floating-point tensors by name")
    tensors = _pruned(path, tensors)
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _pruned(path: Path, tensors: Tensors) -> Tensors:
    """Multiply weights with their masks, where PyTorch's pruning was not made permanent."""
    found = dict(tensors)
    for name in tensors:
        if not name.endswith(_ORIGINAL):
            continue
        plain = name.removesuffix(_ORIGINAL)
        mask = found.get(f"{plain}{_MASK}")
        if mask is None or mask.shape != tensors[name].shape:
            shape = None if mask is None else mask.shape
            rule = f"must be given, of shape {tensors[name].shape}, beside {name}"
            raise InputError(path, f"{plain}{_MASK}", shape, rule)
        del found[name], found[f"{plain}{_MASK}"]
        found[plain] = tensors[name] * mask
    return found


def _safetensors(path: Path) -> Tensors:
    try:
        entries = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except OSError as error:
        raise InputError(path, "", None, f"cannot be read: {error.strerror}") from error
    except (SafetensorError, ValueError, OverflowError) as error:
        raise InputError(path, "", None, f"must be a safetensors file: {said(error)}") from error
    tensors = {}
    for name, tensor in entries:
        dtype, shape, data = tensor["dtype"], tensor["shape"], tensor["data"]
        if dtype == "BF16":
            # the upper half of a single-precision number
            words = np.frombuffer(data, dtype="<u2").astype(np.uint32) << 16
            tensors[name] = words.view(np.float32).reshape(shape)
        elif dtype in _DTYPES:
            tensors[name] = np.frombuffer(data, _DTYPES[dtype]).astype(np.float32).reshape(shape)
        elif dtype == "I8":
            rule = "must be floating point; a checkpoint of integers is for --checkpoint"
            raise InputError(path, f"{name}.dtype", dtype, rule)
    return tensors


def _torch(path: Path) -> Tensors:
    extras.require("compress")
    import pickle
    import warnings

    import torch

    try:
        # unchecked indices of a damaged sparse tensor end the process when it is made dense
        checked = torch.sparse.check_sparse_tensor_invariants()  # type: ignore[no-untyped-call]
        with warnings.catch_warnings(), checked:
            # of layouts of sparse tensors that are in beta
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        rule = (
            "must hold tensors only, not Python objects or code: save the weights alone, "
            "torch.save(model.state_dict(), FILE)"
        )
        raise InputError(path, "", None, rule) from error
    except OSError as error:
        raise InputError(path, "", None, f"cannot be read: {error.strerror}") from error
    except Exception as error:  # torch raises almost anything for a damaged file
        reason = str(error).partition("\n")[0][:300]
        raise InputError(path, "", None, f"must be a state dict of PyTorch: {reason}") from error
    found = {}
    for name, tensor in _unwrapped(path, loaded).items():
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            continue
        if tensor.is_meta:
            raise InputError(path, name, None, "must have values: it is a tensor of shape alone")
        with reading(path, f"must hold {name} as a tensor that fits the memory"):
            # sparse tensors of all layouts
            is_sparse = tensor.layout != torch.strided
            dense = tensor.detach().to_dense() if is_sparse else tensor.detach()
            found[name] = dense.to(torch.float32).numpy()
    return found


def _unwrapped(path: Path, loaded: object) -> Mapping[str, Any]:
    """Return the mapping of names to tensors from inside what a training script saved."""
    for _ in range(2):
        if not isinstance(loaded, Mapping) or not all(isinstance(name, str) for name in loaded):
            raise InputError(path, "", None, "must be a state dict: names mapped to tensors")
        inner = next(
            (loaded[key] for key in _WRAPPERS if isinstance(loaded.get(key), Mapping)), None
        )
        if inner is None:
            return loaded
        loaded = inner
    raise InputError(path, "", None, "must be a state dict: names mapped to tensors")
