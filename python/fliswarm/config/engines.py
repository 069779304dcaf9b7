"""How an engine is reached: its address, and the certificates or keys for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

_HOST = r"(?:[A-Za-z0-9][A-Za-z0-9_.-]*|\[[0-9a-fA-F:]+\])"
_TCP = re.compile(r"tcp://(?P<host>[^/:\s]+|\[[0-9a-fA-F:]+\]):(?P<port>\d+)")
_SSH = re.compile(
    rf"ssh://(?:(?P<user>[A-Za-z0-9_][\w.-]*)@)?(?P<host>{_HOST})(?::(?P<port>\d+))?(?P<path>/\S+)?"
)
SOCKET = "/var/run/docker.sock"
"""Where an engine listens on its own computer, unless an address says otherwise."""


def host_name(value: str) -> str:
    """A computer's name or address as it is.

    Raises:
        ValueError: no name server could be asked for it.
    """
    try:
        value.encode("idna")
    except UnicodeError:
        raise ValueError(
            f"{value!r} is no host name: a part between dots is empty or over 63 characters"
        ) from None
    return value


def known_address(value: str) -> str:
    """An engine's address as it is.

    Raises:
        ValueError: it is none that we know.
    """
    found = _TCP.fullmatch(value) or _SSH.fullmatch(value)
    if found and int(found["port"] or 1) in range(1, 65536):
        host_name(found["host"])
        return value
    if not found and re.match(r"unix://.+|process://$", value):
        return value
    raise ValueError(
        "an engine's address is tcp://HOST:PORT, ssh://USER@HOST, unix:///PATH or process://"
    )


def ssh_parts(address: str) -> tuple[str | None, str, int | None, str]:
    """User, host, port and the path of the engine's socket of an ssh address."""
    found = _SSH.fullmatch(address)
    if found is None:
        raise ValueError(f"no ssh address: {address}")
    port = int(found["port"]) if found["port"] else None
    return found["user"], found["host"].strip("[]"), port, found["path"] or SOCKET


def _full(path: str) -> str:
    return str(Path(path).expanduser().absolute())


Address = Annotated[str, AfterValidator(known_address)]
File = Annotated[str, Field(min_length=1), AfterValidator(_full)]
"""A path; a "~" and a relative one are made absolute when the configuration is read."""


class Tls(BaseModel, extra="forbid", frozen=True):
    """Certificates for engines over TLS, by which both sides prove who they are (PEM files)."""

    ca: File = Field(description="The authority that signed the engine's certificate.")
    cert: File = Field(description="The manager's certificate.")
    key: File = Field(description="The manager's key, without a passphrase.")


class Ssh(BaseModel, extra="forbid", frozen=True):
    """Keys for engines over ssh, where they are not those of the manager's user."""

    key: File | None = Field(
        None, description="The private key, without a passphrase; null: what ssh finds."
    )
    known_hosts: File | None = Field(
        None, description="The host keys that are trusted; null: what ssh finds."
    )
