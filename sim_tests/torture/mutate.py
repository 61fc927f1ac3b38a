"""Damage to files: bytes, words, fields of data, fields of messages."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import yaml

__all__ = ["bytes_", "data", "header", "message", "text"]

Mutation = Callable[[np.random.Generator, Sequence[bytes]], bytes]

#: Words that readers of text treat in their own ways, and numbers at the ends of what is held.
WORDS = [
    b"!!int foo", b'!!int ""', b"!!bool x", b"!!timestamp x", b"!!binary \xff", b"!!set {a}",
    b"!!omap [a]", b"!!python/name:os.system ", b"!!python/object/apply:os.system [id]", b"&a ",
    b"*a", b"<<: *a", b"? ", b"- ", b"---\n", b"...\n", b"%YAML 9.9\n", b"{", b"}", b"[", b"]",
    b"[[[[[[[[", b"'", b'"', b"`", b"|", b">", b"#", b": ", b",", b"\t", b"\r\n", b"\0",
    b"\xef\xbb\xbf",
    b"\xff\xfe", b"\xed\xa0\x80", b"\xe2\x80\xae", "é".encode(), b"null", b"~", b"true", b"yes",
    b".nan", b".inf", b"-.inf", b"nan", b"1e999", b"-1", b"0", b"-0.0", b"1e-320", b"0x", b"0b2",
    b"08", b"1_000", b"1:60:60", b"2020-99-99", b"18446744073709551616", b"9" * 400, b"9" * 5000,
    b"\x1b[31m", b"=1+1", b"<script>", b"../../etc/passwd", b"/dev/zero", b"%s%n", b"a" * 3000,
]  # fmt: skip
#: Values of fields.
VALUES: list[Any] = [
    None, True, False, "", "a", "é", "\0", "a" * 3000, "../x", "<b>", 0, 1, 2, 3, -1, 255, 256,
    (1 << 31) - 1, 1 << 31, 1 << 53, 1 << 63, 1 << 64, 1 << 4000, 0.0, -0.0, 0.5, 1e-320, 1e38,
    1e300, float("nan"), float("inf"), [], [None], [1, 2], [[[]]], {}, {"a": 1}, {"": ""},
]  # fmt: skip
#: Numbers of four and of eight bytes that lengths and offsets are replaced by.
SIZES = [0, 1, 2, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1]
#: Values of the fields of messages, by protobuf's number of their type: texts, floats.
_VALUES_OF: dict[int, list[Any]] = {
    9: ["", "x", "é", "a" * 300, b"\0\1\2", "Conv"],
    6: [0.0, -1.0, float("nan"), float("inf"), 1e38, 1e-40],
}
_INTEGERS = [0, 1, 2, -1, 3, 7, 99, 1 << 20, (1 << 31) - 1, (1 << 63) - 1, -(1 << 63)]


def bytes_(rng: np.random.Generator, seeds: Sequence[bytes]) -> bytes:
    """Exchange, remove, double, insert bytes; replace numbers; cut; join two files."""
    damaged = bytearray(_pick(rng, seeds))
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(len(damaged) + 1))
        run = int(rng.integers(1, 40))
        match int(rng.integers(8)):
            case 0:
                damaged[at : at + 1] = bytes([int(rng.integers(256))])
            case 1:
                del damaged[at : at + run]
            case 2:
                damaged[at:at] = damaged[at : at + run]
            case 3:
                damaged[at:at] = rng.bytes(run)
            case 4:
                size = _pick(rng, SIZES).to_bytes(8, _pick(rng, ["little", "big"]))
                damaged[at : at + 8] = size[: _pick(rng, [4, 8])]
            case 5 if at < len(damaged):
                damaged[at] ^= 1 << int(rng.integers(8))
            case 6 if rng.random() < 0.2:
                del damaged[at:]
            case _:
                other = _pick(rng, seeds)
                start = int(rng.integers(len(other) + 1))
                damaged[at : at + run] = other[start : start + run]
    return bytes(damaged)


def text(rng: np.random.Generator, seeds: Sequence[bytes]) -> bytes:
    """Put words in, in place of what is there; exchange, double and drop lines."""
    if rng.random() < 0.3:
        return bytes_(rng, seeds)
    damaged = bytearray(_pick(rng, seeds))
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.3:
            lines = bytes(damaged).splitlines(keepends=True)
            at = int(rng.integers(max(1, len(lines))))
            match int(rng.integers(3)):
                case 0:
                    lines[at:at] = lines[at : at + 1]
                case 1:
                    del lines[at : at + 1]
                case _:
                    lines[at : at + 2] = reversed(lines[at : at + 2])
            damaged = bytearray(b"".join(lines))
            continue
        # behind a separator, where a value is
        marks = [i + 1 for i, byte in enumerate(damaged) if byte in b" :,[{\n"] or [0]
        at = _pick(rng, marks)
        until = at + (int(rng.integers(12)) if rng.random() < 0.7 else 0)
        damaged[at:until] = _pick(rng, WORDS)
    return bytes(damaged)


def data(rng: np.random.Generator, seeds: Sequence[bytes]) -> bytes:
    """Change fields of a file of YAML, as well as its text."""
    if rng.random() < 0.5:
        return text(rng, seeds)
    tree = yaml.load(_pick(rng, seeds), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    for _ in range(int(rng.integers(1, 4))):
        _change(rng, tree)
    if rng.random() < 0.1:
        return json.dumps(tree, default=str).encode()
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump(tree, Dumper=dumper, allow_unicode=True).encode("utf-8", "surrogatepass")


def header(rng: np.random.Generator, seeds: Sequence[bytes]) -> bytes:
    """Change the JSON header of a safetensors file, whose length stays right, or the bytes."""
    if rng.random() < 0.5:
        return bytes_(rng, seeds)
    whole = _pick(rng, seeds)
    size = int.from_bytes(whole[:8], "little")
    tree = json.loads(whole[8 : 8 + size])
    for key in tree.get("__metadata__", {}):
        # texts that are JSON themselves
        if rng.random() < 0.5 and tree["__metadata__"][key][:1] in "{[":
            inner = json.loads(tree["__metadata__"][key])
            _change(rng, inner)
            tree["__metadata__"][key] = json.dumps(inner)
    if rng.random() < 0.7:
        _change(rng, tree)
    head = json.dumps(tree).encode()
    return len(head).to_bytes(8, "little") + head + whole[8 + size :]


def message(rng: np.random.Generator, seeds: Sequence[bytes]) -> bytes:
    """Change fields of an ONNX model, by what its messages may hold, or the bytes."""
    if rng.random() < 0.3:
        return bytes_(rng, seeds)
    import onnx

    model = onnx.ModelProto.FromString(_pick(rng, seeds))
    for _ in range(int(rng.integers(1, 4))):
        _change_message(rng, model)
    return model.SerializeToString()


def _pick(rng: np.random.Generator, choices: Sequence[Any]) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _change(rng: np.random.Generator, tree: Any) -> None:
    """Replace, remove, add or double one value somewhere in plain data."""
    nodes = [tree]
    for node in nodes:
        children = node.values() if isinstance(node, dict) else node
        nodes += [child for child in children if isinstance(child, dict | list) and child]
    node = _pick(rng, [each for each in nodes if each] or [tree])
    if isinstance(node, dict):
        key = _pick(rng, list(node)) if node else "a"
        match int(rng.integers(4)):
            case 0:
                node.pop(key, None)
            case 1:
                node[_pick(rng, ["", "name", "zz", key])] = _value(rng)
            case _:
                node[key] = _other(rng, node.get(key))
    elif node:
        at = int(rng.integers(len(node)))
        match int(rng.integers(4)):
            case 0:
                del node[at]
            case 1:
                node.insert(at, copy.deepcopy(node[at]))
            case _:
                node[at] = _other(rng, node[at])


def _other(rng: np.random.Generator, value: Any) -> Any:
    """Another value: one of the same type near by as often as anything."""
    if isinstance(value, bool) or value is None or rng.random() < 0.5:
        return _value(rng)
    if isinstance(value, int):
        return value + int(rng.integers(-3, 4)) if abs(value) < 1 << 60 else 0
    if isinstance(value, float):
        return value * float(rng.choice([-1, 0, 2, 1e6, 1e-6]))
    if isinstance(value, str):
        return value[: int(rng.integers(len(value) + 1))] + _pick(rng, ["", "0", "_", "é"])
    return _value(rng)


def _value(rng: np.random.Generator) -> Any:
    return copy.deepcopy(_pick(rng, VALUES))


def _change_message(rng: np.random.Generator, message: Any) -> None:
    """Change one field of a message or of one inside it."""
    set_fields = [field for field, _ in message.ListFields()]
    inner = [field for field in set_fields if field.message_type is not None]
    if inner and rng.random() < 0.8:
        field = _pick(rng, inner)
        value = getattr(message, field.name)
        if not hasattr(value, "add"):
            _change_message(rng, value)
            return
        at = int(rng.integers(len(value)))
        match int(rng.integers(8)):
            case 0:
                del value[at]
            case 1:
                value.add().CopyFrom(value[at])
            case _:
                _change_message(rng, value[at])
        return
    plain = [field for field in message.DESCRIPTOR.fields if field.message_type is None]
    if not plain:
        return
    present = [field for field in plain if field in set_fields]
    field = _pick(rng, present if present and rng.random() < 0.7 else plain)
    values = _VALUES_OF.get(field.cpp_type, _INTEGERS)
    if field.enum_type is not None:
        values = [each.number for each in field.enum_type.values] + [99]
    current = getattr(message, field.name)
    try:
        if hasattr(current, "append"):
            if len(current) and rng.random() < 0.6:
                current[int(rng.integers(len(current)))] = _pick(rng, values)
            elif len(current) and rng.random() < 0.4:
                del current[int(rng.integers(len(current))) :]
            else:
                current.append(_pick(rng, values))
        elif rng.random() < 0.2:
            message.ClearField(field.name)
        else:
            setattr(message, field.name, _pick(rng, values))
    except (TypeError, ValueError):
        return  # a value that the message itself refuses
