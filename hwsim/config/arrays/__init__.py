"""The ``array`` section of a design: one file per array family, with every fact about it."""

from hwsim.config.arrays.base import ArrayConfig, wing
from hwsim.config.arrays.bitmask import BitmaskConfig
from hwsim.config.arrays.csc import CSCConfig
from hwsim.config.arrays.dbb import DBBConfig
from hwsim.config.arrays.decoding import DecodingConfig
from hwsim.config.arrays.dense import DenseConfig
from hwsim.config.arrays.nm import NMConfig
from hwsim.config.arrays.pattern import PatternConfig
from hwsim.config.arrays.registry import FAMILIES, AnyArray
from hwsim.config.arrays.systolic import SystolicConfig

__all__ = [
    "FAMILIES",
    "AnyArray",
    "ArrayConfig",
    "BitmaskConfig",
    "CSCConfig",
    "DBBConfig",
    "DecodingConfig",
    "DenseConfig",
    "NMConfig",
    "PatternConfig",
    "SystolicConfig",
    "wing",
]
