"""The base of every configuration: frozen, strict, unknown keys refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from hwsim.errors import InputError
from hwsim.system.reading import read_text, reading

__all__ = ["Config", "flow", "load", "parse", "read_yaml"]

C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """A frozen group of keys. A number that describes hardware exists once: in one of these."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def load(cls: type[C], path: Path | str) -> C:
    """Read one YAML file into ``cls``.

    Raises
    ------
    InputError
        Unreadable file, bad YAML, unknown key, wrong type, or a broken rule.
    """
    return parse(cls, read_yaml(path), path)


def read_yaml(path: Path | str) -> Any:
    """Plain data of one YAML file.

    Raises
    ------
    InputError
        Unreadable file, bad YAML, or a key given twice.
    """
    text = read_text(Path(path))
    try:
        # scalars of a type that they do not parse as raise what their constructor runs into
        with reading(path, "must be YAML"):
            return yaml.load(text, Loader=_Loader)
    except InputError as error:
        problem = getattr(error.__cause__, "problem", None)
        mark = getattr(error.__cause__, "problem_mark", None)
        if problem is None:
            raise
        at = f" (line {mark.line + 1})" if mark else ""
        raise InputError(path, "", None, f"must be YAML: {problem[:300]}{at}") from error.__cause__


def parse(cls: type[C], raw: Any, source: Path | str) -> C:
    """Validate plain data into ``cls``, the first broken rule becomes an :class:`InputError`."""
    if not isinstance(raw, dict):
        raise InputError(source, "", None, "must be a mapping of keys to values")
    try:
        return cls.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # pydantic names the chosen union member inside the path; users do not write it
        key = ".".join(str(part) for part in first["loc"] if not _is_tag(part, first["loc"], raw))
        value = first.get("input")
        if first["type"] == "missing" or isinstance(value, dict):
            value = None
        rule = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            rule = f"unknown key; known: {', '.join(sorted(_known(cls, first['loc'][:-1])))}"
        elif first["type"] == "union_tag_not_found":
            rule = "must give " + first["ctx"]["discriminator"].strip("'")
        raise InputError(source, key, value, rule) from error
    except RecursionError as error:
        raise InputError(source, "", None, "is nested too deeply") from error


def _known(cls: type[BaseModel], loc: tuple[Any, ...]) -> set[str]:
    """Keys of the group that pydantic's path leads to; the path names the chosen union member."""
    groups: list[type[BaseModel]] = [cls]
    for step in loc:
        fields = [group.model_fields for group in groups if step in group.model_fields]
        if fields:
            groups = [group for field in fields for group in _groups(field[step].annotation)]
        elif isinstance(step, str):
            members = [member for group in groups for member in _members(group)]
            groups = [member for member in members if _has_tag(member, step)] or groups
    return {field.alias or name for group in groups for name, field in group.model_fields.items()}


def _groups(annotation: Any) -> list[type[BaseModel]]:
    """Groups of keys within a type: itself, or the members of a union, a list, a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [group for part in get_args(annotation) for group in _groups(part)]


def _members(group: type[BaseModel]) -> list[type[BaseModel]]:
    """A group and all that derive from it: a union of families is typed as what they share."""
    return [group, *(each for child in group.__subclasses__() for each in _members(child))]


def _has_tag(group: type[BaseModel], tag: str) -> bool:
    """Whether a field of a member of a union takes the tag and nothing else."""
    return any(get_args(field.annotation) == (tag,) for field in group.model_fields.values())


def _is_tag(part: object, loc: tuple[Any, ...], raw: Any) -> bool:
    """Say whether a step of pydantic's path is a union tag rather than a key of the data."""
    node = raw
    for step in loc:
        is_index = isinstance(node, list) and isinstance(step, int) and 0 <= step < len(node)
        if is_index or (isinstance(node, dict) and step in node):
            node = node[step]
        elif step is part:
            # a number or a word has no keys: what follows is the kind that it was tried as
            values = node.values() if isinstance(node, dict) else ()
            return not isinstance(node, dict | list) or part in values
    return False


def flow(value: Any) -> str:
    """YAML of plain data on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1_000_000)
    return text.strip().removesuffix("...").strip()


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe YAML that refuses a key given twice; in C where PyYAML has it, 10 times as fast."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {key_node.value!r} given twice", key_node.start_mark
                    )
                seen.add(key_node.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping
