"""Trained networks pruned, without training or with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.api.arguments import fractions, whole
from hwsim.api.import_network import Imported, import_network
from hwsim.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hwsim.config import NetworkConfig

__all__ = ["prune"]


def prune(
    network: str | Path | NetworkConfig,
    weights: str | Path | None = None,
    *,
    nm: tuple[int, int] | None = None,
    keep: float | None = None,
    layer_nm: Mapping[str, int] | None = None,
    dense: str | Sequence[str] = (),
    inputs: str | Path | NDArray[Any] | None = None,
    images: int | None = None,
    labelled: bool = False,
    epochs: int = 0,
    learning_rate: float = 2e-4,
    weight_bits: int = 8,
    seed: int = 0,
    size: Sequence[int] | None = None,
    outside: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    progress: Callable[[str], None] = lambda what: None,
) -> Imported:
    """Prune a trained network and quantize it.

    With ``inputs`` each layer is reconstructed on images, which need no labels: the weights that
    stay make up for those that are removed (SparseGPT). Without, weights go by magnitude. The first
    layer with weights and depthwise layers stay whole. With ``epochs`` the network is then trained
    on labelled images, its removed weights held at 0.

    Parameters
    ----------
    network, weights
        As of :func:`import_network`: an ``.onnx`` file; or a network and a state dict.
    nm
        ``(n, m)``: n of every m weights along K stay.
    keep
        Fraction of all weights that stay, wherever they are; each layer's share follows from its
        magnitudes. With ``nm`` each layer has an n of its own, at most the given one, so that this
        fraction stays at most.
    layer_nm
        n of layers that have another one than ``nm``, by name; n = m leaves a layer whole.
    dense
        More layers that stay whole, by name.
    labelled
        ``inputs`` have labels: a folder with a folder of photographs per class, or a ``.npz`` with
        arrays ``images`` and ``labels``. A twelfth of them is held out, and ``info`` records which
        fraction of these the integers classify correctly (``accuracy``).
    epochs
        Epochs of training, which needs the extra ``compress`` and labels.
    learning_rate
        Its peak; AdamW, falling to 0 by a half cosine.
    weight_bits, inputs, images, seed, size, outside, mean, std, progress
        As of :func:`import_network`.

    Returns
    -------
    Imported
        Network and checkpoint, whose ``info`` says what was pruned, how, and how well the integers
        agree with the network before it was pruned; after training also the fraction of the images
        held out that the network classifies correctly before, pruned, trained, and in integers.

    Raises
    ------
    InputError
        Neither ``nm`` nor ``keep`` is given, ``dense`` or ``layer_nm`` names no layer, or as of
        :func:`import_network`.
    """
    from hwsim.models.compress.layerwise import Rule

    if nm is not None:
        if not isinstance(nm, tuple | list) or len(nm) != 2:
            raise InputError("arguments", "nm", nm, "must be two numbers: n of every m")
        nm = (whole("nm", nm[0], 1), whole("nm", nm[1], 1))
    share = None if keep is None else fractions("keep", [keep])[0]
    own = {str(name): whole(f"layer_nm.{name}", n, 1) for name, n in (layer_nm or {}).items()}
    training = None
    if whole("epochs", epochs):
        from hwsim.config.base import parse
        from hwsim.config.jobs.compress import TrainConfig
        from hwsim.system.extras import require

        require("compress")
        raw = {
            "epochs": epochs, "learning_rate": learning_rate, "batch": 32, "shift": 0,
            "precision": "float32",
        }  # fmt: skip
        training = parse(TrainConfig, raw, "arguments")
    return import_network(
        network, weights, inputs=inputs, images=images, seed=seed, size=size, outside=outside,
        weight_bits=weight_bits,
        mean=mean, std=std, rule=Rule(nm, share, own), training=training,
        labelled=labelled, dense=dense,
        progress=progress,
    )  # fmt: skip
