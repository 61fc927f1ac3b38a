"""Configurations: arch, network, study, sweep. See ``configs/`` for the files."""

from hwsim.config.arch import (
    ArchConfig,
    ArrayConfig,
    BitmaskConfig,
    CSCConfig,
    DenseConfig,
    NMConfig,
    NumberConfig,
    PatternConfig,
    SystolicConfig,
)
from hwsim.config.network import LayerConfig, LayerShape, NetworkConfig, TensorShape
from hwsim.config.tech import TechConfig

__all__ = [
    "ArchConfig",
    "ArrayConfig",
    "BitmaskConfig",
    "CSCConfig",
    "DenseConfig",
    "LayerConfig",
    "LayerShape",
    "NMConfig",
    "NetworkConfig",
    "NumberConfig",
    "PatternConfig",
    "SystolicConfig",
    "TechConfig",
    "TensorShape",
]
