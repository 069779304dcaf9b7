"""The actor's commands, one file for each group of verbs."""

from __future__ import annotations

from clu.parsers.click import command_parser as parser

from . import (
    doctor,
    drain,
    enabling,
    general,
    lifecycle,
    logs,
    reboot,
    reload,
    simulate,
    status,
    talk,
)

general.give_help(parser)
general.give_help(general.tron_reconnect)

__all__ = [
    "doctor",
    "drain",
    "enabling",
    "general",
    "lifecycle",
    "logs",
    "parser",
    "reboot",
    "reload",
    "simulate",
    "status",
    "talk",
]
