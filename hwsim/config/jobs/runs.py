"""Which checkpoints run on which designs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hwsim.config.base import Config

__all__ = ["RunsConfig"]


class RunsConfig(Config):
    """Checkpoints on designs: every checkpoint runs on every design."""

    archs: Annotated[list[str], Field(min_length=1)]
    checkpoints: Annotated[list[str], Field(min_length=1)]
