"""Configurations: arch, network, study, sweep. See ``configs/`` for the files."""

from hwsim.config.arch import ArchConfig, register
from hwsim.config.arrays import (
    FAMILIES,
    ArrayConfig,
    BitmaskConfig,
    CSCConfig,
    DBBConfig,
    DecodingConfig,
    DenseConfig,
    NMConfig,
    PatternConfig,
    SystolicConfig,
    wing,
)
from hwsim.config.machine import BusConfig, OnChipConfig
from hwsim.config.memory import MemoryConfig
from hwsim.config.network import LayerConfig, LayerShape, NetworkConfig, TensorShape, read_by
from hwsim.config.numbers import NumberConfig

__all__ = [
    "FAMILIES",
    "ArchConfig",
    "ArrayConfig",
    "BitmaskConfig",
    "BusConfig",
    "CSCConfig",
    "DBBConfig",
    "DecodingConfig",
    "DenseConfig",
    "LayerConfig",
    "LayerShape",
    "MemoryConfig",
    "NMConfig",
    "NetworkConfig",
    "NumberConfig",
    "OnChipConfig",
    "PatternConfig",
    "SystolicConfig",
    "TensorShape",
    "read_by",
    "register",
    "wing",
]
