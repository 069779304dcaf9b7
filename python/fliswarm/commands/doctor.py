"""doctor: every prerequisite of the manager and its nodes, with what to do."""

from __future__ import annotations

from typing import Any

from clu.command import Command
from clu.parsers.click import command_parser as parser

from ..doctor import Finding, Result, examine, healthy, summary
from .common import category_option, guarded, names_option

CODES = {Result.PASSED: "i", Result.SKIPPED: "w", Result.WARNING: "w", Result.FAILED: "w"}


@parser.command()  # type: ignore[untyped-decorator]
@names_option
@category_option
@guarded
async def doctor(command: Command, names: str | None, category: str | None) -> Any:
    """Looks at all that the manager and the nodes need, and says what to mend.

    Cameras go on; each node makes and removes a short-lived container. Fails when something
    failed.
    """
    chosen = [node.name for node in command.actor.swarm.select(names, category)]
    findings = await examine(command.actor.settings, chosen, inside=True)
    for finding in findings:
        command.write(CODES[finding.result], finding=_values(finding))
    if healthy(findings):
        return command.finish(text=summary(findings))
    bad = "; ".join(str(finding) for finding in findings if finding.result is Result.FAILED)
    return command.fail(error=f"{summary(findings)}: {bad}")


def _values(finding: Finding) -> list[str]:
    return [
        finding.place,
        finding.check,
        str(finding.layer),
        str(finding.result),
        finding.found,
        finding.fix,
    ]
