"""Events: what energy and traffic are made of, counted alike by RTL and models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["STREAMS", "STREAM_EVENTS", "Strobe", "stream_event"]

#: Streams of every array.
STREAMS = ("command", "weight", "act", "ofmap")


def stream_event(stream: str) -> str:
    """Name of the event that counts the transfers of a stream."""
    return f"{stream}_beats"


#: Events of every array -> what they count: the transfers of its streams.
STREAM_EVENTS: Mapping[str, str] = {
    stream_event(stream): f"transfers of the {stream} stream" for stream in STREAMS
}


class Strobe(NamedTuple):
    """Signal of an event in the RTL: ``bits`` strobes, each of which counts for ``each`` events."""

    bits: int = 1
    each: int = 1
