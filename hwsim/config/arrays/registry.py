"""The list of array families. To add a family, add its class here: every command then finds it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from hwsim.config.arrays.base import ArrayConfig
from hwsim.config.arrays.bitmask import BitmaskConfig
from hwsim.config.arrays.csc import CSCConfig
from hwsim.config.arrays.dbb import DBBConfig
from hwsim.config.arrays.dense import DenseConfig
from hwsim.config.arrays.nm import NMConfig
from hwsim.config.arrays.pattern import PatternConfig

__all__ = ["FAMILIES", "AnyArray"]

#: Array families by name; tables and pictures keep this order.
FAMILIES: dict[str, type[ArrayConfig]] = {
    "dense": DenseConfig,
    "nm": NMConfig,
    "pattern": PatternConfig,
    "csc": CSCConfig,
    "bitmask": BitmaskConfig,
    "dbb": DBBConfig,
}


class _AnyFamily:
    """Marker of a field that holds the array of any registered family, told by ``family``."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        union: Any = ArrayConfig
        classes = list(FAMILIES.values())
        union = classes[0]
        for other in classes[1:]:
            union = union | other
        return handler.generate_schema(Annotated[union, Field(discriminator="family")])


#: Type of ``arch.array``: an :class:`ArrayConfig` of a registered family.
AnyArray = Annotated[ArrayConfig, _AnyFamily]
