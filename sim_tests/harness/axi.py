"""Rules of AXI4, held to a port of the RTL in every cycle of an Amaranth simulation."""

from collections import deque

from hwsim.config.machine import PAGE

__all__ = ["watch_reads", "watch_writes"]

#: Signals of each channel that hold while an offer waits.
BURST = ("addr", "len", "size", "burst", "cache", "prot")
PAYLOADS = {
    "ar": BURST,
    "aw": BURST,
    "r": ("data", "resp", "last"),
    "w": ("data", "strb", "last"),
    "b": ("resp",),
}


def watch_reads(port, longest=256):
    """Background testbench: ``ar`` and ``r`` of a port keep the rules."""

    async def watch(ctx):
        due = deque()
        async for ar, r in _cycles(ctx, port, ("ar", "r")):
            if r is not None:
                assert due, "r: a beat of no burst"
                due[0] -= 1
                assert r["last"] == (due[0] == 0), f"r: last is {r['last']}, {due[0]} beats left"
                if not due[0]:
                    due.popleft()
            if ar is not None:
                due.append(_checked(port.ar, ar, longest, "ar"))

    return watch


def watch_writes(port, longest=256):
    """Background testbench: ``aw``, ``w`` and ``b`` of a port keep the rules."""

    async def watch(ctx):
        due, unanswered = deque(), 0
        async for aw, w, b in _cycles(ctx, port, ("aw", "w", "b")):
            if b is not None:
                assert unanswered, "b: a response to no burst"
                unanswered -= 1
            if w is not None:
                assert due, "w: a beat before its address"
                due[0] -= 1
                assert w["last"] == (due[0] == 0), f"w: last is {w['last']}, {due[0]} beats left"
                if not due[0]:
                    due.popleft()
                    unanswered += 1
            if aw is not None:
                due.append(_checked(port.aw, aw, longest, "aw"))

    return watch


async def _cycles(ctx, port, channels):
    """Payload of each channel, ``None`` without a transfer, cycle by cycle; offers must hold."""
    signals, names = [], []
    for channel in channels:
        names.append(("valid", "ready", *PAYLOADS[channel]))
        signals += [getattr(getattr(port, channel), name) for name in names[-1]]
    waiting = [None] * len(channels)
    async for _, reset, *values in ctx.tick().sample(*signals):
        transfers = []
        for index, channel in enumerate(channels):
            valid, ready, *payload = values[: len(names[index])]
            values = values[len(names[index]) :]
            if waiting[index] is not None and not reset:
                assert valid, f"{channel}: an offer is withdrawn"
                assert payload == waiting[index], f"{channel}: an offer changes"
            waiting[index] = payload if valid and not ready else None
            fields = dict(zip(names[index][2:], payload, strict=True))
            transfers.append(fields if valid and ready else None)
        yield transfers


def _checked(channel, burst, longest, name):
    """Beats of a burst whose address and length keep the rules."""
    beats, size = burst["len"] + 1, 1 << burst["size"]
    assert burst["burst"] == 1, f"{name}: burst must be incrementing, not {burst['burst']}"
    assert burst["addr"] % size == 0, f"{name}: {burst['addr']:#x} is not a multiple of {size}"
    assert beats <= longest, f"{name}: {beats} beats, {longest} are allowed"
    end = burst["addr"] % PAGE + beats * size
    assert end <= PAGE, f"{name}: {beats} beats from {burst['addr']:#x} cross a page"
    return beats
