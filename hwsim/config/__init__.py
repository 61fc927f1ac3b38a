"""Configurations: arch, network, study, sweep. See ``configs/`` for the files."""

from hwsim.config.arch import ArchConfig, ArrayConfig, CSCConfig, DenseConfig, NumberConfig
from hwsim.config.network import LayerConfig, LayerShape, NetworkConfig, TensorShape

__all__ = [
    "ArchConfig",
    "ArrayConfig",
    "CSCConfig",
    "DenseConfig",
    "LayerConfig",
    "LayerShape",
    "NetworkConfig",
    "NumberConfig",
    "TensorShape",
]
