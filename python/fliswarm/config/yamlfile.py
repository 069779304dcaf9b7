"""YAML with places: the data of a file and the line of each key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from ..errors import ConfigError, Problem

Path = tuple[str | int, ...]


@dataclass(slots=True)
class Document:
    """A parsed file: its data, the line of each path, and keys that stand twice."""

    data: Any
    lines: dict[Path, int] = field(default_factory=dict)
    doubles: list[tuple[Path, int]] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest block around it; 0 for an empty file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


def parse(text: str, file: str) -> Document:
    """Parse YAML text.

    Raises:
        ConfigError: the text is not YAML, with the line.
    """
    document = Document({})
    loader: yaml.SafeLoader | None = None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is not None:
            # Before constructing, which writes merged keys (<<) into the nodes.
            _walk(root, (), document, set())
            document.data = loader.construct_document(root)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        words = getattr(error, "problem", None) or str(error).splitlines()[0]
        problem = Problem(file, mark.line + 1 if mark else 0, "", f"not valid YAML: {words}")
        raise ConfigError([problem]) from error
    finally:
        if loader is not None:
            loader.dispose()
    return document


def _walk(node: yaml.Node, path: Path, document: Document, seen: set[int]) -> None:
    """Note the lines of a node and of all below it; an alias counts where its anchor is."""
    document.lines.setdefault(path, node.start_mark.line + 1)
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*path, index), document, seen)
    elif isinstance(node, yaml.MappingNode):
        _walk_mapping(node, path, document, seen)


def _walk_mapping(node: yaml.MappingNode, path: Path, document: Document, seen: set[int]) -> None:
    names: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        below = (*path, name)
        line = key.start_mark.line + 1
        if name in names:
            document.doubles.append((below, line))
        names.add(name)
        document.lines.setdefault(below, line)
        _walk(value, below, document, seen)
