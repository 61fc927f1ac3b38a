"""Configurations: arch, network, study, sweep. See ``configs/`` for the files."""

from hwsim.config.arch import (
    ArchConfig,
    ArrayConfig,
    BitmaskConfig,
    CSCConfig,
    DenseConfig,
    NumberConfig,
    SystolicConfig,
)
from hwsim.config.network import LayerConfig, LayerShape, NetworkConfig, TensorShape

__all__ = [
    "ArchConfig",
    "ArrayConfig",
    "BitmaskConfig",
    "CSCConfig",
    "DenseConfig",
    "LayerConfig",
    "LayerShape",
    "NetworkConfig",
    "NumberConfig",
    "SystolicConfig",
    "TensorShape",
]
