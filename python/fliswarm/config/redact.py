"""Secrets taken out: of configurations, of what an engine shows, of lines for a log.

What counts as a secret is told by its name (PASSWORD, TOKEN, KEY, …), in environment variables,
in the options of a volume, in the words of a command, and in a URL's ``user:password@``. A
secret whose name does not say so, for instance ``mysql -pabc``, cannot be known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel

from .resolved import SwarmConfig

HIDDEN = "***"
"""What stands in the place of a secret."""
LONG = 8
"""From so many characters on, a secret is hidden also where no name stands beside it."""
_STRONG = re.compile(r"PASSW|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|API[_-]?KEY|AUTHORIZATION", re.I)
_WEAK = {"PASS", "PWD", "KEY", "KEYS", "AUTH", "CRED", "CREDS", "COOKIE", "JWT"}
_HARMLESS = {"PWD", "OLDPWD"}
_PLACES = {"FILE", "PATH", "DIR"}
_MAYBE = re.compile("PASS|PWD|SECRET|TOKEN|CRED|KEY|AUTH|COOKIE|JWT|//|-----BEGIN", re.I)
"""What a text must have for anything to be hidden in it, known secrets apart: most have not."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# No pattern goes through a long word from each of its letters: the event loop would wait.
_PEM = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END|\Z)", re.S)
_URL = re.compile(r"((?:(?<!\w)\w[\w+.-]*+:)?//[^\s/:@]*+):(?!\d+/)((?:(?!://)[^\s\"'])*)@")
_URL_TOKEN = re.compile(r"(https?://)([^\s/:@]+)@", re.I)
_ITEM = re.compile(r"(-{0,2}[A-Za-z_][\w.-]*)=(.*)", re.S)
_NAME = re.compile(
    r"(?P<dash>--?)?(?<![A-Za-z_])(?P<name>[A-Za-z_][\w.-]*+)"
    r"(?P<sep>=|[\"']\s*:\s*|:\s+|[\"']\s*,\s*(?=[\"'])|[ \t]+)"
)
_VALUE = re.compile(
    r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|(?:Basic|Bearer)\s+\S+|\S+?(?=[\"'\])},;]*(?:\s|$))"
)


def is_secret(name: str) -> bool:
    """Whether the value of a variable, key or option of this name is a secret.

    ``…_FILE``, ``…_PATH`` and ``…_DIR`` say where one lies, which is none.
    """
    words = [word.upper() for word in _WORD.findall(name)]
    if not words or words[-1] in _PLACES or name.upper() in _HARMLESS:
        return False
    return bool(_STRONG.search(name)) or not _WEAK.isdisjoint(words) or words[-1].endswith("KEY")


def redact(value: Any, secrets: Iterable[str] = ()) -> Any:
    """The same as plain data (dict, list, str, …) without secrets; nothing is changed in place.

    Takes a configuration, raw or resolved, what an engine shows of a container or a volume,
    and any mixture of them. Its own secrets, and the given ones, are hidden wherever they
    stand.
    """
    plain = _plain(value)
    return _Pass((*find_secrets(plain), *secrets)).any(plain)


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """A line for a log, an error message or a command without secrets.

    `secrets` are hidden as they stand (see `find_secrets`), others where their name says so:
    then up to the next blank, rather too much than too little.
    """
    return _Pass(secrets).text(text)


def find_secrets(value: Any) -> tuple[str, ...]:
    """The secrets of a configuration or of what an engine shows, the longest first."""
    search = _Pass(())
    search.any(_plain(value))
    return tuple(sorted(search.found, key=len, reverse=True))


def show(config: SwarmConfig) -> dict[str, Any]:
    """The configuration in force, merged, node by node, without secrets."""
    found: dict[str, Any] = redact(
        {
            "file": config.file,
            "actor": config.actor,
            "timeouts": config.timeouts,
            "camera_logs": config.camera_logs,
            "history": config.history,
            "state_dir": config.state_dir,
            "log_dir": config.log_dir,
            "enabled_nodes": config.enabled,
            "nodes": config.nodes,
        }
    )
    return found


class _Pass:
    """One way through some data; notes what it hides in `found`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.found: set[str] = set()
        known = sorted({s for s in secrets if len(s) >= LONG}, key=len, reverse=True)
        words = "|".join(re.escape(secret) for secret in known)
        self._known = re.compile(rf"(?<!\w)(?:{words})(?!\w)") if known else None

    def any(self, value: Any, name: str = "", inside: str = "") -> Any:
        """Any value; `name` is the key that it stands under, `inside` the key above that."""
        if isinstance(value, dict):
            # Certificates and keys of an engine are given by their paths.
            return {key: self.any(item, str(key), name) for key, item in value.items()}
        if is_secret(name) and inside not in ("tls", "ssh"):
            return self._all(value)
        if isinstance(value, list):
            return self._list(value, name, inside)
        if not isinstance(value, str):
            return value
        return self._options(value) if name == "o" else self.text(value)

    def text(self, text: str) -> str:
        """A text, by the names in it and by the secrets that are known."""
        if self._known is None and not _MAYBE.search(text):
            return text
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
            if not _MAYBE.search(text):
                return text
        text = _PEM.sub(rf"\1 {HIDDEN} \2", text)
        text = _URL.sub(lambda m: f"{m[1]}:{self._hide(m[2])}@", text)
        text = _URL_TOKEN.sub(lambda m: f"{m[1]}{self._hide(m[2])}@", text)
        done, at = [], 0
        for match in _NAME.finditer(text):
            if match.start() < at or not _tells(match):
                continue
            value = _VALUE.match(text, match.end())
            if value is None or (_is_option(match) and not _is_value(value[0].strip("\"'"))):
                continue
            quote = value[0][0] if value[0][0] in "\"'" else ""
            hidden = self._hide(value[0].strip(quote) if quote else value[0])
            done.append(f"{text[at : match.end()]}{quote}{hidden}{quote}")
            at = value.end()
        return "".join((*done, text[at:]))

    def _list(self, items: list[Any], name: str, inside: str) -> list[Any]:
        """Also the words of a command (``--password x``) and ``NAME=value`` whole."""
        done: list[Any] = []
        before = ""
        for item in items:
            pair = _ITEM.fullmatch(item) if isinstance(item, str) else None
            if pair and is_secret(pair[1]):
                done.append(f"{pair[1]}={self._hide(pair[2])}")
            elif before.startswith("-") and is_secret(before) and _is_value(item):
                done.append(self._hide(item))
            else:
                done.append(self.any(item, name, inside))
            before = item if isinstance(item, str) and not pair else ""
        return done

    def _options(self, text: str) -> str:
        """The options of a mount, which end at commas."""
        parts = (part.partition("=") for part in text.split(","))
        return ",".join(
            f"{name}={self._hide(value)}" if is_secret(name) else self.text(f"{name}{sep}{value}")
            for name, sep, value in parts
        )

    def _all(self, value: Any) -> Any:
        """Everything under a name that says secret; whether there is anything stays to be seen."""
        if isinstance(value, list):
            return [self._all(item) for item in value]
        return value if value is None or isinstance(value, bool) else self._hide(str(value))

    def _hide(self, secret: str) -> str:
        if secret and secret != HIDDEN:
            self.found.add(secret)
        return HIDDEN if secret else ""


def _tells(match: re.Match[str]) -> bool:
    """Whether what stands before a value in a text says that it is a secret."""
    sep = match["sep"]
    if sep[0] == ":" and not match["name"].isupper():  # prose has "the key: …"
        return bool(_STRONG.search(match["name"]))
    if _is_option(match):
        return bool(match["dash"]) and is_secret(match["name"])
    return is_secret(match["name"])


def _is_option(match: re.Match[str]) -> bool:
    """Whether the value is the next word."""
    return ":" not in match["sep"] and match["sep"] != "="


def _is_value(item: Any) -> bool:
    """Whether a word after an option is its value, not the next option."""
    return isinstance(item, str) and not item.startswith("-")


def _plain(value: Any) -> Any:
    """Models, dataclasses, tuples and paths as what JSON and YAML know."""
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(by_alias=True))
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, PurePath) else value
