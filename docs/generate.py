"""Write the generated pages of docs/reference: `python docs/generate.py` (or `make docs`).

Everything here comes from the program itself, so that a page cannot say something else: the
configuration from its models, the commands from their parsers, the keywords from their table.
A test compares the committed pages with fresh ones. `--check` only says what is not current.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import generated_words as words

from fliswarm import cli, config, history, keywords
from fliswarm.commands import parser
from fliswarm.simcamera.__main__ import main as simcamera
from fliswarm.simcamera.faults import KINDS

REFERENCE = Path(__file__).resolve().parent / "reference"
GENERATED = "<!-- Written by docs/generate.py; do not edit. -->\n\n"
WIDTH = 400
"""Columns of help texts: so many that click breaks no line of a table's cell."""


def pages() -> dict[Path, str]:
    """Every generated file with its text."""
    return {
        REFERENCE / "configuration.md": GENERATED + configuration(),
        REFERENCE / "commands.md": GENERATED + commands(),
        REFERENCE / "history.md": GENERATED + words.HISTORY + history.reference(),
        REFERENCE / "keywords.md": GENERATED + words.KEYWORDS + keywords.reference(),
        REFERENCE / "configuration.schema.json": json.dumps(config.schema(), indent=2) + "\n",
        REFERENCE / "keywords.schema.json": json.dumps(keywords.schema(), indent=2) + "\n",
        REFERENCE / "actorkeys-fliswarm.py": keywords.actorkeys(),
    }


# the configuration, from the JSON schema of its models


def configuration() -> str:
    """The reference of a file, block by block, in the order in which they are met."""
    schema = config.schema()
    known = schema["$defs"]
    text = [words.CONFIGURATION, _block("The file", "", schema, set())]
    queue, seen = list(_references(schema)), set()
    while queue:
        name = queue.pop(0)
        if name not in seen:
            seen.add(name)
            about = _words(known[name].get("description", ""))
            inherited = set(known["Options"]["properties"]) if name == "Node" else set()
            text.append(_block(name, about, known[name], inherited))
            queue += _references(known[name])
    return "\n".join(text)


def _references(schema: dict[str, Any]) -> Iterator[str]:
    """The blocks that a block's keys name, in order."""
    for value in schema.get("properties", {}).values():
        for part in json.dumps(value).split('"#/$defs/')[1:]:
            yield part.split('"')[0]


def _block(name: str, about: str, schema: dict[str, Any], inherited: set[str]) -> str:
    """One block as a table; keys that another block explains are left out."""
    needed = schema.get("required", [])
    rows = [f"## {name}", ""]
    rows += [about, ""] if about else []
    rows += ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for key, value in schema["properties"].items():
        if key not in inherited:
            default = "needed" if key in needed else _default(value)
            meaning = value.get("description", "")
            rows.append(f"| `{key}` | {_type(value)} | {default} | {meaning} |")
    rows += ["", "And every key of [Options](#options)."] if inherited else []
    return "\n".join([*rows, ""])


def _words(docstring: str) -> str:
    return " ".join(docstring.split())


def _default(value: dict[str, Any]) -> str:
    default = value.get("default")
    return "-" if default in (None, "", [], {}) else f"`{json.dumps(default)}`"


def _type(value: dict[str, Any]) -> str:
    """The type of a key in words; null is not spoken of."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in value:
        return " or ".join(f"`{item}`" for item in value["enum"])
    for key in ("anyOf", "allOf"):
        if key in value:
            kinds = [_type(item) for item in value[key] if item.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if value["type"] == "array":
        return f"list of {_type(value['items'])}"
    if value["type"] == "object":
        inner = value.get("additionalProperties") or next(
            iter(value.get("patternProperties", {}).values()), {"type": "string"}
        )
        return f"name to {_type(inner)}"
    kinds = {"string": "text", "boolean": "true or false", "integer": "whole number"}
    if isinstance(value["type"], list):
        return " or ".join(kinds.get(kind, kind) for kind in value["type"] if kind != "null")
    return kinds.get(value["type"], value["type"]) + _limits(value)


def _limits(value: dict[str, Any]) -> str:
    low, above, high = (value.get(k) for k in ("minimum", "exclusiveMinimum", "maximum"))
    if low is not None and high is not None:
        return f" {low} to {high}"
    if low is not None:
        return f", {low} or more"
    return "" if above is None else f" above {above}"


# the commands, from their click parsers


def commands() -> str:
    """The reference of the actor's commands and of the command line."""
    text = [words.COMMANDS, words.ACTOR]
    text += [
        _command(_context(parser.commands[name], name), name, words.NOTES.get(name, ""))
        for name in words.OWN
    ]
    text.append(words.CLU + _short_list(sorted(set(parser.commands) - set(words.OWN))))
    text += [words.COMMAND_LINE, *_tree(_context(cli.main, "fliswarm"), "fliswarm")]
    path = "python -m fliswarm.simcamera"
    text += [words.SIMCAMERA, _command(_context(simcamera, path), path, "")]
    faults = [f"| `{kind.usage}` | {kind.text} |" for kind in KINDS.values()]
    text.append("\n".join(["| fault | what happens |", "| --- | --- |", *faults]) + "\n")
    return "\n".join(text)


def _context(
    command: click.Command, name: str, parent: click.Context | None = None
) -> click.Context:
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    return click.Context(command, parent=parent, info_name=name, **settings)


def _short_list(names: list[str]) -> str:
    rows = ["| command | meaning |", "| --- | --- |"]
    for name in names:
        usage = _usage(parser.commands[name], name)
        rows.append(f"| `{usage}` | {_cell(parser.commands[name].help or '')} |")
    return "\n".join(rows) + "\n"


def _tree(context: click.Context, path: str) -> Iterator[str]:
    """A command and those below it; the older spellings are named, not repeated."""
    yield _command(context, path, words.NOTES.get(path, ""))
    children = {} if path in words.NOT_BELOW else getattr(context.command, "commands", {})
    for name, child in sorted(children.items()):
        yield from _tree(_context(child, name, context), f"{path} {name}")


def _command(context: click.Context, path: str, note: str) -> str:
    """One command: what it does, how it is written, its options."""
    command = context.command
    params = [p for p in command.get_params(context) if isinstance(p, click.Option)]
    options = [record for p in params if (record := p.get_help_record(context)) is not None]
    parts = [f"### {path}", f"```text\n{_usage(command, path)}\n```"]
    parts += [_words(block) for block in (command.help or "").split("\n\n")]
    parts += [note] if note else []
    table = "\n".join(f"| `{_cell(left)}` | {_cell(right)} |" for left, right in options)
    parts.append(f"| option | meaning |\n| --- | --- |\n{table}")
    return "\n\n".join(parts) + "\n"


def _usage(command: click.Command, path: str) -> str:
    """How a command is written; an argument that is not needed stands in brackets."""
    words = [path, "[OPTIONS]"]
    for param in command.params:
        if isinstance(param, click.Argument):
            name = param.metavar or (param.name or "").upper()
            name += "" if param.nargs == 1 or name.endswith("…") else "..."
            words.append(name if param.required else f"[{name}]")
    if isinstance(command, click.Group):
        words += ["COMMAND", "[ARGS]..."]
    return " ".join(words)


def _cell(text: str) -> str:
    """Words for a table's cell."""
    return _words(text).replace("``", "`").replace("|", r"\|")


def main() -> int:
    """Write the pages, or say which are not current; 1 when there are such."""
    stale = []
    for path, text in pages().items():
        old = path.read_text("utf-8") if path.exists() else None
        if old == text:
            continue
        stale.append(path.name)
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    if stale:
        print("not current:" if "--check" in sys.argv else "written:", ", ".join(stale))
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
