"""Recipes of synthetic checkpoints: random weights with published densities and bits.

For networks whose data we do not have. A recipe of ``configs/compress`` that has a ``synthetic``
section is of this kind: nothing is trained, and accuracy is not known.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.base import Config, parse
from hwsim.config.jobs.compress import CompressConfig, NMPruneConfig
from hwsim.config.jobs.recipe_seed import read_with_seed
from hwsim.config.jobs.storage import KeptLayer, StorageConfig, StorageRow
from hwsim.config.limits import Name, Seed
from hwsim.config.network import LayerShape, NetworkConfig
from hwsim.errors import InputError

__all__ = ["PublishedDensities", "SyntheticConfig", "read_recipe"]

Density = Annotated[float, Field(gt=0, le=1)]
#: Pattern of layer names (``conv[2-5]``) -> density; the first pattern that matches counts.
Densities = dict[str, Density]


class PublishedSizes(Config):
    """Row of a table of published sizes, which has densities and bits: ``configs/storage``."""

    #: Name or path of the table.
    table: str
    #: Name of its row.
    row: str

    def read(self) -> StorageRow:
        """Find the row; :class:`InputError` where there is none."""
        rows = {row.name: row for row in StorageConfig.read(self.table).rows}
        if self.row not in rows:
            raise InputError(self.table, "rows", self.row, f"must be one of: {', '.join(rows)}")
        return rows[self.row]


class PublishedDensities(Config):
    """Weights that are left of each layer, and their bits."""

    sizes: PublishedSizes
    #: Which figures are published, and where; which are derived.
    note: Annotated[str, Field(min_length=1)]
    #: Relative densities of the layers, where the row has only the sum of the kept weights: one
    #: factor scales them to the sum. Absent: the same density everywhere.
    profile: Annotated[Densities, Field(default_factory=dict)]
    #: Densities that replace the row's.
    layers: Annotated[Densities, Field(default_factory=dict)]
    #: Bits of every layer, in place of the row's.
    weight_bits: Annotated[int, Field(ge=1, le=8)] | None = None
    #: Of kind nm: at most ``n`` non-zeros in every ``m``, of every layer.
    nm: NMPruneConfig | None = None
    #: Of kind pattern: ways of keeping 4 of the 9 taps of a 3x3 kernel, in each layer.
    patterns: Annotated[int, Field(ge=1, le=16)] | None = None
    #: Of kind pattern: how layers are pruned that are not 3x3. Absent: non-structured.
    others: Literal["structured", "nonstructured"] | None = None
    #: Fraction of non-zero activations at the input of every layer but the first. The first layer
    #: reads the image, whose pixels are all non-zero.
    act_density: Density


class SyntheticConfig(Config):
    """One checkpoint of random weights."""

    #: Name of the checkpoint file.
    name: Name
    kind: Literal["structured", "nonstructured", "nm", "pattern"]
    #: Network, by name or path.
    network: str
    seed: Seed
    synthetic: PublishedDensities

    @classmethod
    def read(cls, name: str | Path) -> Self:
        """Read a recipe by name (``configs/compress``; ``NAME_s3``: with seed 3) or path."""
        return parse(cls, *read_with_seed(name))

    @model_validator(mode="after")
    def _kind_fits(self) -> Self:
        given = self.synthetic
        for key, kind in (("nm", "nm"), ("patterns", "pattern")):
            if (getattr(given, key) is not None) != (self.kind == kind):
                must = "given" if self.kind == kind else "absent"
                raise ValueError(f"synthetic.{key} must be {must} for kind {self.kind}")
        if given.others and self.kind != "pattern":
            raise ValueError(f"synthetic.others must be absent for kind {self.kind}")
        if self.kind == "nm" and (given.profile or given.layers):
            raise ValueError("synthetic.profile and layers must be absent for kind nm")
        return self

    def kept_layers(self) -> list[tuple[LayerShape, KeptLayer]]:
        """What is left of each layer with weights, in the network's order.

        Raises
        ------
        InputError
            The table's row is not of this network, a pattern names no layer or a layer has no
            pattern, or a density passes 1.
        """
        row = self.synthetic.sizes.read()
        network = NetworkConfig.read(self.network)
        if NetworkConfig.read(row.network).name != network.name:
            rule = f"must be a row of network {network.name}, not {row.network}"
            raise InputError(self.name, "synthetic.sizes.row", row.name, rule)
        shapes = {shape.layer.name: shape for shape in network.shapes() if shape.has_weights}
        try:
            kept = {layer.name: layer for layer, _ in row.kept_layers()}
        except ValueError as error:
            raise InputError(self.name, "synthetic.sizes.row", row.name, str(error)) from error
        densities = {name: layer.kept for name, layer in kept.items()}
        if self.synthetic.nm is not None:
            n, m = self.synthetic.nm.n, self.synthetic.nm.m
            densities = dict.fromkeys(shapes, n / m)
        if self.synthetic.profile:
            densities = self._spread(row, shapes)
        densities |= self._matched("layers", self.synthetic.layers, list(shapes))
        changed: dict[str, Any] = {}
        if self.synthetic.weight_bits is not None:
            changed["weight_bits"] = self.synthetic.weight_bits
        return [
            (shape, kept[name].model_copy(update={"kept": densities[name], **changed}))
            for name, shape in shapes.items()
        ]

    def in_bits(self, bits: int) -> Self:
        """Recipe of the same densities in weights of so many bits."""
        synthetic = self.synthetic.model_copy(update={"weight_bits": bits})
        return self.model_copy(update={"name": f"{self.name}_w{bits}", "synthetic": synthetic})

    def whole(self, bits: int) -> Self:
        """Recipe of all weights of the network, in so many bits."""
        given: dict[str, Any] = {
            "layers": {"*": 1.0}, "profile": {}, "nm": None, "patterns": None,
            "others": None, "note": "All weights.", "weight_bits": bits,
        }  # fmt: skip
        name = f"{NetworkConfig.read(self.network).name}_whole_w{bits}"
        synthetic = self.synthetic.model_copy(update=given)
        update = {"name": name, "kind": "nonstructured", "synthetic": synthetic}
        return self.model_copy(update=update)

    def _spread(self, row: StorageRow, shapes: dict[str, LayerShape]) -> dict[str, float]:
        """Densities of the profile, scaled to the sum that the row gives."""
        key = "synthetic.profile"
        if row.uniform is None:
            rule = f"must be absent: {row.name} has a density for each layer"
            raise InputError(self.name, key, None, rule)
        profile = self._matched("profile", self.synthetic.profile, list(shapes))
        for name in shapes:
            if name not in profile:
                raise InputError(self.name, key, name, "must match every layer with weights")
        total = sum(profile[name] * shape.weights for name, shape in shapes.items())
        factor = row.uniform.kept_weights / total
        for name, share in profile.items():
            if share * factor > 1:
                rule = f"must be at most {1 / factor:.3f}: scaled to the published sum it passes 1"
                raise InputError(self.name, f"{key}.{name}", share, rule)
        return {name: share * factor for name, share in profile.items()}

    def _matched(self, key: str, patterns: Densities, names: list[str]) -> dict[str, float]:
        """Density of each layer that a pattern matches."""
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                rule = f"must match a layer with weights of {self.network}"
                raise InputError(self.name, f"synthetic.{key}", pattern, rule)
        densities = {}
        for name in names:
            matching = [value for pattern, value in patterns.items() if fnmatchcase(name, pattern)]
            if matching:
                densities[name] = matching[0]
        return densities


def read_recipe(name: str | Path) -> CompressConfig | SyntheticConfig:
    """Read a recipe by name (``configs/compress``) or path: one that trains, or a synthetic one."""
    raw, path = read_with_seed(name)
    if isinstance(raw, dict) and "synthetic" in raw:
        return parse(SyntheticConfig, raw, path)
    return parse(CompressConfig, raw, path)
