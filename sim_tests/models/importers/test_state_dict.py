"""Tensors are read by name, with any wrapper around them, and no code in a file is run."""

from __future__ import annotations

import pickle
import warnings
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights
from hwsim.errors import InputError
from hwsim.models.importers import state_dict

VALUES = np.array([[1.5, -2.25], [0.0, 1e-3]], dtype=np.float32)


def refused(path, line: str) -> None:
    with pytest.raises(InputError, match=line) as caught:
        state_dict.read(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_safetensors_of_every_precision(tmp_path, dtype):
    path = tmp_path / "w.safetensors"
    save_file({"a.weight": VALUES.astype(dtype), "steps": np.array([3])}, path)
    found = state_dict.read(path)
    assert list(found) == ["a.weight"]
    assert found["a.weight"].dtype == np.float32
    np.testing.assert_array_equal(found["a.weight"], VALUES.astype(dtype).astype(np.float32))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_both_kinds_of_file_hold_the_same(torch, tmp_path, suffix, dtype):
    from safetensors.torch import save_file as save_torch

    tensor = torch.from_numpy(VALUES).to(getattr(torch, dtype))
    path = tmp_path / f"w.{suffix}"
    if suffix == "pth":
        torch.save({"a.weight": tensor}, path)
    else:
        save_torch({"a.weight": tensor}, path)
    expected = tensor.to(torch.float32).numpy()
    np.testing.assert_array_equal(state_dict.read(path)["a.weight"], expected)


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module.model."])
def test_what_training_scripts_wrap_around_is_taken_off(torch, tmp_path, wrapper, prefix):
    state = {f"{prefix}a.weight": torch.ones(2, 2), f"{prefix}a.steps": torch.tensor(3)}
    saved = {wrapper: state, "epoch": 3, "loss": torch.ones(1)} if wrapper else state
    torch.save(saved, tmp_path / "w.pt")
    assert list(state_dict.read(tmp_path / "w.pt")) == ["a.weight"]


def test_a_module_of_torch_is_read(torch, tmp_path):
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    torch.save(network.state_dict(), tmp_path / "w.pth")
    assert len(state_dict.read(tmp_path / "w.pth")) == 6  # without num_batches_tracked


class Code:
    """An object of a malicious file, whose unpickling calls a function."""

    def __init__(self, marker) -> None:
        self.marker = marker

    def __reduce__(self):
        return (type(self.marker).touch, (self.marker,))


def test_code_in_a_pickle_is_refused_and_not_run(torch, tmp_path):
    marker = tmp_path / "ran"
    torch.save({"a.weight": torch.ones(1), "extra": Code(marker)}, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", "must hold tensors only, not Python objects or code")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Code(marker)))
    refused(tmp_path / "plain.pth", "must ")
    assert not marker.exists()


def test_a_whole_model_in_a_pickle_is_refused(torch, tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "w.pth")
    refused(
        tmp_path / "w.pth", r"save the weights alone, torch\.save\(model\.state_dict\(\), FILE\)"
    )


@pytest.mark.parametrize("content", ["list", "numbers", "names", "nothing"])
def test_what_is_no_state_dict_is_refused(torch, tmp_path, content):
    saved = {
        "list": [torch.ones(2)], "numbers": {1: torch.ones(2)},
        "names": {"a": "b"}, "nothing": {},
    }[content]  # fmt: skip
    torch.save(saved, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", "must (be a state dict|hold floating-point tensors by name)")


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_damaged_file_is_read_or_refused_in_one_line(torch, tmp_path, suffix, seed):
    from safetensors.torch import save_file as save_torch

    path = tmp_path / f"w.{suffix}"
    tensors = {"a.weight": torch.ones(5, 5), "a.bias": torch.ones(5)}
    (torch.save if suffix == "pth" else save_torch)(tensors, path)
    rng = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    if seed % 3 == 0:
        content = content[: int(rng.integers(len(content)))]
    else:
        for index in rng.integers(len(content), size=1 + seed % 5):
            content[index] = rng.integers(256)
    path.write_bytes(bytes(content))
    try:
        state_dict.read(path)
        message = f"{path}: read"
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    assert message.startswith(str(path))


def test_files_of_other_kinds_are_refused(torch, tmp_path):
    refused(tmp_path / "w.pth", "no such file")
    for name, line in (
        ("w.h5", r"suffix = '\.h5': must be \.pt, \.pth, \.bin \(PyTorch\) or \.safetensors"),
        ("w.pth", "must "),
        ("w.safetensors", "must be a safetensors file"),
    ):
        (tmp_path / name).write_bytes(b"neither this nor that")
        refused(tmp_path / name, line)
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as file:
        file.writestr("hello", "world")
    refused(tmp_path / "w.pt", "must be a state dict of PyTorch")


def test_our_own_checkpoint_is_pointed_to_its_option(tmp_path):
    layer = LayerWeights(np.ones((2, 2), np.int8), np.zeros(2, np.int32), 8, 1, 0, 1.0)
    path = Checkpoint("net", {"fc1": layer}, {}).write(tmp_path / "own.safetensors")
    refused(path, "must be floating point; a checkpoint of integers is for --checkpoint")


def test_without_torch_the_install_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("hwsim.system.extras.find_spec", lambda module: None)
    (tmp_path / "w.pth").touch()
    with pytest.raises(InputError, match=r"pip install 'hwsim\[compress\]'"):
        state_dict.read(tmp_path / "w.pth")


@pytest.mark.parametrize("layout", ["coo", "csr"])
def test_sparse_tensors_are_dense_ones(torch, tmp_path, layout):
    dense = torch.eye(4)
    with warnings.catch_warnings():
        # PyTorch's layout CSR is in beta
        warnings.simplefilter("ignore")
        sparse = dense.to_sparse() if layout == "coo" else dense.to_sparse_csr()
    torch.save({"g.weight": sparse, "g.bias": torch.ones(4)}, tmp_path / "net.pth")
    found = state_dict.read(tmp_path / "net.pth")
    np.testing.assert_array_equal(found["g.weight"], np.eye(4, dtype=np.float32))


def test_a_tensor_without_values_is_refused(torch, tmp_path):
    torch.save({"g.weight": torch.ones(4, 4, device="meta")}, tmp_path / "net.pth")
    line = r"g\.weight: must have values: it is a tensor of shape alone"
    with pytest.raises(InputError, match=line):
        state_dict.read(tmp_path / "net.pth")


def test_pruning_that_was_not_made_permanent_is(torch, tmp_path):
    """``torch.nn.utils.prune`` keeps ``weight_orig`` and ``weight_mask``."""
    from torch.nn.utils import prune

    module = torch.nn.Sequential(torch.nn.Linear(6, 5))
    prune.l1_unstructured(module[0], "weight", amount=0.5)
    torch.save(module.state_dict(), tmp_path / "net.pth")
    found = state_dict.read(tmp_path / "net.pth")
    assert found.keys() == {"0.weight", "0.bias"}
    np.testing.assert_array_equal(found["0.weight"], module[0].weight.detach().numpy())
    assert np.count_nonzero(found["0.weight"]) == 15


def test_a_weight_that_lacks_its_mask_is_refused(torch, tmp_path):
    torch.save({"g.weight_orig": torch.ones(4, 4)}, tmp_path / "net.pth")
    line = r"g\.weight_mask: must be given, of shape \(4, 4\), beside g\.weight_orig"
    with pytest.raises(InputError, match=line):
        state_dict.read(tmp_path / "net.pth")


def test_a_damaged_sparse_tensor_is_refused(torch, tmp_path):
    """Indices beyond the shape: made dense unchecked, they would end the process."""
    whole = torch.eye(8).to_sparse()
    path = tmp_path / "sparse.pth"
    torch.save({"fc1.weight": whole}, path)
    np.testing.assert_array_equal(state_dict.read(path)["fc1.weight"], np.eye(8))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        beyond = torch.sparse_coo_tensor(
            whole.indices() + (1 << 40), whole.values(), (8, 8), check_invariants=False
        )
    torch.save({"fc1.weight": beyond}, path)
    with pytest.raises(InputError, match="must be a state dict of PyTorch"):
        state_dict.read(path)


def test_a_tensor_too_large_for_the_memory_is_refused(torch, tmp_path):
    indices, values = torch.tensor([[0], [0]]), torch.tensor([1.0])
    huge = torch.sparse_coo_tensor(indices, values, (1 << 31, 1 << 31))
    path = tmp_path / "huge.pth"
    torch.save({"fc1.weight": huge}, path)
    with pytest.raises(InputError, match=r"must hold fc1\.weight as a tensor that fits the memory"):
        state_dict.read(path)
