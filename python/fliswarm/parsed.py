"""A command's words through click, once: the same words are not parsed again.

click takes 0.1 ms for a command, a third of all that comes before its first word to a camera,
and observers' scripts send the same dozen of commands all night.
"""

from __future__ import annotations

import shlex
from collections import OrderedDict
from typing import Any

import click

KEPT = 100
"""How many commands are remembered."""
LONG = 300
"""A longer command, in characters, is not worth it."""


class UnreadableError(ValueError):
    """A command that falls into no words; a quotation is not closed, for instance."""


_Known = tuple[str, click.Command, dict[str, Any]]


class Parsed:
    """Runs the commands of a group, and remembers what their words mean.

    That holds as long as this depends on nothing but the words: what may change is looked at
    by the commands themselves.
    """

    def __init__(self, group: click.Group, name: str) -> None:
        self.group = group
        self.name = name
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def run(self, body: str, obj: dict[str, Any]) -> None:
        """Run the command that `body` says.

        Args:
            body: the command with its arguments.
            obj: the click context's object.

        Raises:
            UnreadableError: it falls into no words.
            click.ClickException: the words are no command of the group.
        """
        context = click.Context(self.group, info_name=self.name, obj=obj)
        known = self._known.get(body)
        if known is None:
            try:
                words = shlex.split(body)
            except ValueError as error:
                raise UnreadableError(str(error)) from error
            command = self.group.get_command(context, words[0]) if words else None
            if command is None or isinstance(command, click.Group):
                # click itself knows best what is wrong, or how a group goes on.
                self.group.invoke(self.group.make_context(self.name, words, obj=obj))
                return
            own = command.make_context(words[0], words[1:], parent=context)
            known = words[0], command, own.params
            self._keep(body, known)
        else:
            self._known.move_to_end(body)
        name, command, params = known
        own = click.Context(command, context, name, **command.context_settings)
        own.params = dict(params)
        context.invoked_subcommand = name
        with context, own:
            command.invoke(own)

    def _keep(self, body: str, known: _Known) -> None:
        if len(body) <= LONG:
            self._known[body] = known
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
