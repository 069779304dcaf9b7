"""The keywords of the actor: their types and meaning, and how a reply line is written.

One table gives the JSON schema that replies are checked against, the reference page and the
hub's dictionary (actorkeys). The types of the older keywords are those that other programs
read already (FACTS: actorkeys `fliswarm`) and never change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .protocol import Code, Reply, flatten

PASSED_ON = {
    Code.RUNNING: "d",
    Code.DONE: "i",
    Code.FAILED: "w",
    Code.ERROR: "w",
    Code.CRITICAL: "w",
    Code.INFO: "i",
    Code.DEBUG: "d",
    Code.WARNING: "w",
}
"""With what code a camera's line is passed on: one camera's end is not the command's end."""


@dataclass(frozen=True, slots=True)
class Keyword:
    """One keyword: the names and types (str, bool, int, float) of its values, in order.

    With `repeated` the one value named may come any number of times.
    """

    name: str
    values: tuple[tuple[str, type], ...]
    help: str
    repeated: bool = False
    new: bool = False


STATUS = (
    ("node", str),
    ("camera", str),
    ("model", str),
    ("serial", str),
    ("fwrev", int),
    ("hwrev", int),
    ("hbin", int),
    ("vbin", int),
    ("visible_area_x0", int),
    ("visible_area_y0", int),
    ("visible_area_x1", int),
    ("visible_area_y1", int),
    ("image_area_x0", int),
    ("image_area_y0", int),
    ("image_area_x1", int),
    ("image_area_y1", int),
    ("temperature_ccd", float),
    ("temperature_base", float),
    ("exposure_time_left", float),
    ("cooler_power", float),
)

KEYWORDS: tuple[Keyword, ...] = (
    Keyword("text", (("words", str),), "Words for the operator; a camera's name first.", True),
    Keyword(
        "error",
        (("camera", str), ("message", str)),
        "What failed, and where: a camera's name, or the actor's own.",
    ),
    Keyword("enabledNodes", (("node", str),), "The enabled nodes.", True),
    Keyword(
        "node",
        (
            ("node", str),
            ("host", str),
            ("engine", str),
            ("host_answers", bool),
            ("engine_answers", bool),
        ),
        "A node, its computer, its engine's address, and whether they answer.",
    ),
    Keyword(
        "container",
        (("node", str), ("id", str)),
        "The short id of a node's running container, or NA.",
    ),
    Keyword(
        "volume",
        (("node", str), ("volume", str), ("exists", bool), ("device", str)),
        "A volume of a node and what it stands on, or NA.",
    ),
    Keyword(
        "status",
        STATUS,
        "A camera's status; temperatures in Celsius, exposure_time_left in ms.",
    ),
    Keyword(
        "exposure_state",
        (
            ("node", str),
            ("camera", str),
            ("state", str),
            ("image_type", str),
            ("remaining_time", float),
            ("exposure_time", float),
            ("current_stack", int),
            ("n_stack", int),
        ),
        "How far a camera's exposure is; times in seconds.",
    ),
    Keyword(
        "filename",
        (("node", str), ("camera", str), ("path", str)),
        "A file that a camera has written.",
    ),
    Keyword(
        "filename_bundle",
        (("path", str),),
        "The files of one talk, all cameras together, just before its end.",
        True,
    ),
    Keyword("yourUserID", (("user", int),), "The number of a user who has just connected."),
    Keyword("num_users", (("users", int),), "How many users are connected."),
    Keyword("UserInfo", (("user", int), ("address", str)), "A connected user."),
    Keyword("version", (("version", str),), "A version; a camera's name first.", True),
    Keyword("help", (("line", str),), "One line of help.", True),
    Keyword(
        "nodeState",
        (("node", str), ("state", str), ("layer", str), ("cause", str), ("since", str)),
        "The state of a node, the lowest layer that fails (host, engine, container, actor, "
        "camera), the cause, and since when (UTC).",
        new=True,
    ),
    Keyword(
        "factAge",
        (("node", str), ("engine", float), ("camera", float)),
        "How long ago, in seconds, a node's engine and container were looked at (and its "
        "computer, where the engine did not answer), and its camera actor last answered; nan "
        "for never.",
        new=True,
    ),
    Keyword(
        "finding",
        (
            ("place", str),
            ("check", str),
            ("layer", str),
            ("result", str),
            ("found", str),
            ("fix", str),
        ),
        "What the doctor found at a node or at the manager: passed, warning, failed or skipped, "
        "in words, and what to do about it.",
        new=True,
    ),
    Keyword(
        "drained",
        (("node", str), ("reason", str), ("by", str), ("since", str)),
        "A node that commands to all or to its category leave out: why, who said so, and since "
        "when (UTC). All three are empty when it is drained no longer.",
        new=True,
    ),
    Keyword(
        "configDiffers",
        (("node", str), ("what", str)),
        "In what a node is not as the configuration has it, and what puts it right.",
        new=True,
    ),
    Keyword(
        "verdict",
        (("node", str), ("verdict", str), ("seconds", float), ("reason", str)),
        "How a command ended on a node: ok, failed, silent, lost, unreachable, timeout, busy, "
        "disabled.",
        new=True,
    ),
    Keyword(
        "log",
        (("node", str), ("time", str), ("stream", str), ("text", str)),
        "A line that a camera has printed: its time (UTC, the node's clock), out, err or === "
        "(what fliswarm says of the log), and the text.",
        new=True,
    ),
    Keyword(
        "unknownCommand",
        (("commander", str), ("command", str), ("nodes", str), ("begun", str)),
        "A command that ran when the manager was killed, for which nodes, and when it began "
        "(UTC): what became of it is unknown. Told after the next start, and for a minute to "
        "those who connect.",
        new=True,
    ),
)

_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}
_HUB_TYPES = {
    str: 'String(name="{}")',
    bool: 'Bool("F", "T", name="{}")',
    int: 'Int(name="{}")',
    float: 'Float(name="{}")',
}


def schema() -> dict[str, Any]:
    """The JSON schema (draft 7) of all keywords, as sdss-clu takes it."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "fliswarm",
        "type": "object",
        "properties": {keyword.name: _schema(keyword) for keyword in KEYWORDS},
        "additionalProperties": True,
    }


def _schema(keyword: Keyword) -> dict[str, Any]:
    items = [{"title": name, "type": _JSON_TYPES[kind]} for name, kind in keyword.values]
    if keyword.repeated:
        one = {**items[0]}
        return {
            "description": keyword.help,
            "anyOf": [one, {"type": "array", "items": one}],
        }
    if len(items) == 1:
        # Alone it may stand without a list around it.
        alone = [items[0], {"type": "array", "items": items, "minItems": 1, "maxItems": 1}]
        return {"description": keyword.help, "anyOf": alone}
    array = {
        "type": "array",
        "items": items,
        "minItems": len(items),
        "maxItems": len(items),
    }
    if keyword.name == "error":
        # sdss-clu itself writes bare sentences and exceptions; `lines` makes two values of them.
        return {
            "description": keyword.help,
            "anyOf": [array, {"type": "string"}, {"type": "object"}],
        }
    return {"description": keyword.help, **array}


def actorkeys() -> str:
    """The hub's dictionary of our keywords, as Python text for the package actorkeys."""
    rows = []
    for keyword in KEYWORDS:
        kinds = ", ".join(_HUB_TYPES[kind].format(name) for name, kind in keyword.values)
        many = " * (0,)" if keyword.repeated else ""
        rows.append(f"    Key(\n        {keyword.name!r},\n        {kinds}{many},\n"
                    f"        help={keyword.help!r},\n    ),")  # fmt: skip
    body = "\n".join(rows)
    return (
        "# Made by `fliswarm keywords --actorkeys`, for python/actorkeys/fliswarm.py there.\n"
        f'KeysDictionary(\n    "fliswarm",\n    (1, 0),\n{body}\n)\n'
    )


def reference() -> str:
    """The reference page of the keywords, in Markdown."""
    rows = ["| keyword | values | meaning |", "| --- | --- | --- |"]
    for keyword in KEYWORDS:
        values = ", ".join(f"{name} ({kind.__name__})" for name, kind in keyword.values)
        more = ", …" if keyword.repeated else ""
        new = " New in fliswarm." if keyword.new else ""
        rows.append(f"| `{keyword.name}` | {values}{more} | {keyword.help}{new} |")
    return "\n".join(rows) + "\n"


_BARE = re.compile(r"[!#-&(-+\--:<>-~]+")
"""Printable ASCII without space, quotes, comma, semicolon and equals sign."""


def format_value(value: Any) -> str:
    """One value as the hub's parser reads it: T or F, a number, or a string.

    A string stands bare where the parser takes it as one word; otherwise it is quoted, with
    all but plain ASCII escaped: no camera can forge a line, and the hub, which closes a
    connection on half a character (sdss-tron 5.0), never sees one.
    """
    write = _WRITE.get(type(value))
    if write is not None:
        return write(value)
    return _word(value) if isinstance(value, str) else str(value)


def _word(text: str) -> str:
    return text if _BARE.fullmatch(text) else _QUOTE(text)


_QUOTE = json.JSONEncoder().encode
_WRITE: dict[type, Callable[[Any], str]] = {
    str: _word,
    bool: {True: "T", False: "F"}.__getitem__,
    int: str,
    float: str,
}


def format_keyword(name: str, value: Any, before: str = "") -> str:
    """``name=value,value``; an empty text gives the bare name.

    Args:
        name: the keyword.
        value: its value or values, however nested.
        before: a value that stands before them.
    """
    written = [_word(before)] if before else []
    try:
        _write_all((value,), written)
    except RecursionError:
        written[bool(before) :] = map(format_value, flatten(value))
    if not written or written == ['""']:
        return name
    return f"{name}={','.join(written)}"


def _write_all(values: Iterable[Any], written: list[str]) -> None:
    """The scalars among nested values, written out, in their order."""
    for value in values:
        write = _WRITE.get(type(value))
        if write is not None:
            written.append(write(value))
        elif isinstance(value, dict):
            _write_all(value.values(), written)
        elif isinstance(value, list | tuple):
            _write_all(value, written)
        else:
            written.append(format_value(value))


def lines(message: dict[str, Any], actor: str) -> list[str]:
    """The keywords of one reply of ours, written out."""
    written = []
    for name, value in message.items():
        if name == "error" and not isinstance(value, list | tuple):
            words = value.get("message", "") if isinstance(value, dict) else str(value)
            written.append(format_keyword(name, [actor, words]))
        else:
            written.append(format_keyword(name, value))
    return written


def relay(node: str, reply: Reply) -> list[str]:
    """A camera's line as ours: the node in front, dicts and lists flattened, one line each.

    Help comes a line at a time; an error is always (camera, message), as the hub's dictionary
    says, also where the camera wraps it in a dict.
    """
    plain = []
    written = []
    for name, value in reply.data.items():
        if name == "help":
            written += [format_keyword(name, line) for line in (node, *flatten(value))]
        elif name == "error":
            words = value.get("error", value) if isinstance(value, dict) else value
            text = words if isinstance(words, str) else " ".join(map(str, flatten(words)))
            plain.append(format_keyword(name, text, node))
        else:
            plain.append(format_keyword(_safe_name(name), value, node))
    return ["; ".join(plain), *written] if plain else written


def _safe_name(name: str) -> str:
    """A keyword's name as the hub's parser takes it: letters, digits, ``_`` and ``.``."""
    if name.isidentifier() and name.isascii() and name[0] != "_" and name.lower() != "raw":
        return name
    safe = re.sub(r"[^A-Za-z0-9_.]", "_", name) or "_"
    if not safe[0].isascii() or not safe[0].isalpha():
        safe = f"x{safe}"
    # `raw` is a word of the parser itself.
    return f"{safe}_" if safe.lower() == "raw" else safe
