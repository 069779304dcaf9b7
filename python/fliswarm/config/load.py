"""A YAML file, in either layout, to a `SwarmConfig`; all that is wrong is said at once."""

from __future__ import annotations

import difflib
import os
from dataclasses import replace
from importlib import resources
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError

from ..errors import ConfigError, Problem
from .engines import Ssh, Tls
from .models import File, Node, Options, Power
from .redact import redact_text
from .resolved import SwarmConfig, resolve
from .yamlfile import Document, Path, parse

INTERNAL = "internal configuration"
_POWER_KEYS = set(Power.model_fields)


def load(path: str | os.PathLike[str] | None = None, observatory: str | None = None) -> SwarmConfig:
    """Read a configuration file; without a path, the internal configuration.

    Args:
        path: the YAML file.
        observatory: which observatory's nodes to take from a 0.7 file; None means the
            environment variable OBSERVATORY.

    Raises:
        ConfigError: the file cannot be read or is wrong; every problem is in it.
    """
    if path is None:
        text = resources.files("fliswarm").joinpath("etc/fliswarm.yaml").read_text("utf-8")
        return loads(text, INTERNAL, observatory)
    try:
        text = FilePath(path).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(path), 0, "", f"not UTF-8 text: {error.reason}")]) from error
    except OSError as error:
        raise ConfigError([Problem(str(path), 0, "", f"cannot read: {error.strerror}")]) from error
    loaded = loads(text, str(path), observatory)
    # The daemon changes its folder, and reads the file again when it is told to.
    return replace(loaded, file=str(FilePath(path).absolute()))


def loads(text: str, file: str = "<text>", observatory: str | None = None) -> SwarmConfig:
    """The same from YAML text; `file` is the name for error messages."""
    document = parse(text, file)
    problems = [
        Problem(file, line, _dotted(path), "this key stands twice; keep one")
        for path, line in document.doubles
    ]
    if not isinstance(document.data, dict):
        raise ConfigError([Problem(file, 1, "", "the file must be a mapping of keys to values")])
    observatory = observatory or os.environ.get("OBSERVATORY") or None
    try:
        prefix = _flatten_layout(document, file, observatory)
        model = File.model_validate(document.data)
    except ConfigError as error:
        problems += error.problems
        raise ConfigError(sorted(problems, key=lambda p: p.line)) from None
    except ValidationError as error:
        found = [_problem(item, document, file, prefix) for item in error.errors()]
        # Each member of a union complains: one complaint a place is enough.
        first: dict[tuple[int, str], Problem] = {}
        for problem in found:
            first.setdefault((problem.line, problem.path), problem)
        problems += first.values()
        raise ConfigError(sorted(problems, key=lambda p: p.line)) from None
    problems += _check_names(model, document, file, prefix)
    if problems:
        raise ConfigError(sorted(problems, key=lambda p: p.line))
    return resolve(model, file, observatory)


def _flatten_layout(document: Document, file: str, observatory: str | None) -> dict[str, str]:
    """Turn the 0.7 layout (nodes by observatory) into the flat one.

    Returns:
        For each flattened key the observatory that was taken, for the places of errors.
    """
    taken: dict[str, str] = {}
    for key in ("nodes", "enabled_nodes"):
        value = document.data.get(key)
        if not isinstance(value, dict) or not _is_nested(key, value):
            continue
        name = observatory or (next(iter(value)) if len(value) == 1 else None)
        if name is None or name not in value:
            found = ", ".join(map(str, value))
            said = f"OBSERVATORY is {observatory}" if observatory else "OBSERVATORY is not set"
            raise ConfigError(
                [
                    Problem(
                        file,
                        document.line((key,)),
                        key,
                        f"the nodes are listed by observatory ({found}) and {said}; set the "
                        "environment variable OBSERVATORY to one of them",
                    )
                ]
            )
        taken[key] = str(name)
        document.data = {**document.data, key: value[name]}
    return taken


def _is_nested(key: str, value: dict[str, Any]) -> bool:
    """Whether the entries are observatories, not nodes: all that is in them are mappings."""
    if key == "enabled_nodes":
        return True
    entries = [entry for entry in value.values() if entry is not None]
    if not all(isinstance(entry, dict) for entry in entries):
        return False
    inner = [(key, item) for entry in entries for key, item in entry.items()]
    blocks = set(_known_keys(Node))
    return bool(inner) and all(isinstance(i, dict) and k not in blocks for k, i in inner)


def _problem(item: Any, document: Document, file: str, prefix: dict[str, str]) -> Problem:
    loc = tuple(part for part in item["loc"] if not _is_branch(part))
    place = _place(loc, document, prefix)
    kind, found = item["type"], item.get("input")
    if kind == "extra_forbidden":
        message = f"unknown key{_nearest(str(loc[-1]), _siblings(loc[:-1]))}"
    elif kind == "missing":
        message = "this key is missing"
    else:
        expected = item["msg"].removeprefix("Value error, ")
        message = f"found {_short(found)}: {expected[:1].lower()}{expected[1:]}"
    return Problem(file, document.line(place), _dotted(place), message)


def _is_branch(part: Any) -> bool:
    """Whether a part of pydantic's place names a member of a union, not a key."""
    return part in ("str", "list[str]", "bool", "int", "[key]", "float") or (
        isinstance(part, str) and part.startswith(("function-", "constrained-", "list["))
    )


def _place(loc: Path, document: Document, prefix: dict[str, str]) -> Path:
    if loc and loc[0] in prefix:
        return (loc[0], prefix[str(loc[0])], *loc[1:])
    return loc


def _siblings(loc: Path) -> list[str]:
    """The keys that a block of the file may have."""
    model: type[BaseModel] | None = File
    for part in loc:
        field = None
        for name, candidate in model.model_fields.items() if model else ():
            if part in (name, candidate.alias):
                field = name
        model = _BLOCKS.get(field or "", model) if field else model
    return _known_keys(model) if model else []


def _known_keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _blocks() -> dict[str, type[BaseModel]]:
    from .models import Actor, CameraLogs, Mount, PowerCommand, Timeouts, Volume  # noqa: PLC0415

    return {
        "actor": Actor,
        "timeouts": Timeouts,
        "camera_logs": CameraLogs,
        "defaults": Options,
        "categories": Options,
        "nodes": Node,
        "volumes": Volume,
        "power": Power,
        "mounts": Mount,
        "command": PowerCommand,
        "tls": Tls,
        "ssh": Ssh,
    }


_BLOCKS = _blocks()


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, 1, 0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known here: {', '.join(known)}" if known else ""


def _short(value: Any) -> str:
    text = redact_text(repr(value))
    return text if len(text) <= 60 else text[:57] + "..."


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path)


def _check_names(
    model: File, document: Document, file: str, prefix: dict[str, str]
) -> list[Problem]:
    """Names that point nowhere, and two cameras that would share a place."""
    problems = []

    def say(loc: Path, message: str) -> None:
        place = _place(loc, document, prefix)
        problems.append(Problem(file, document.line(place), _dotted(place), message))

    for index, name in enumerate(model.enabled_nodes or ()):
        if name not in model.nodes:
            near = _nearest(name, list(model.nodes))
            say(("enabled_nodes", index), f"there is no node {name!r}{near}")
    ports: dict[tuple[str, int], str] = {}
    for name, node in model.nodes.items():
        other = ports.setdefault((node.host, node.port), name)
        if other != name:
            say(("nodes", name), f"{node.host}:{node.port} is the camera actor of {other} too")
        if (node.docker_client or "").startswith("process:") and not _has_command(model, node):
            say(("nodes", name), "a process:// node needs a command to run")
    categories = {node.category for node in model.nodes.values()}
    for category in model.categories:
        if category not in categories:
            near = _nearest(category, sorted(categories - {""}))
            say(("categories", category), f"no node is of category {category!r}{near}")
    return problems


def _has_command(model: File, node: Node) -> bool:
    category = model.categories.get(node.category, Options())
    return bool(node.command or category.command or model.defaults.command)
