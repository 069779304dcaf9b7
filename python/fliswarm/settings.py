"""What every verb of the command line begins with: the configuration, or its errors."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from . import config
from .config import SwarmConfig
from .errors import ConfigError, SelectionError

pass_settings = click.pass_obj


def load(settings: dict[str, Any]) -> SwarmConfig:
    """The configuration, or its errors on stderr and exit code 1."""
    try:
        loaded = config.load(settings["file"])
        unknown = [name for name in settings["nodes"] or () if name not in loaded.nodes]
        if unknown:
            known = ", ".join(loaded.nodes)
            raise SelectionError(f"--nodes: unknown node {', '.join(unknown)}; known: {known}")
    except (ConfigError, SelectionError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    return loaded


def fail(error: Exception) -> NoReturn:
    """Say why and end with exit code 1."""
    click.echo(f"fliswarm: {error}", err=True)
    sys.exit(1)
