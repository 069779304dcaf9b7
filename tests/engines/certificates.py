"""Certificates, made by the very commands of docs/how-to/safe-engines.md."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.docs.markdown import ROOT, blocks

PAGE = ROOT / "docs" / "how-to" / "safe-engines.md"
SHOWN_NAME, SHOWN_ADDRESS, SHOWN_DAYS = "gfa1.example.org", "10.1.1.11", "-days 825"


def make(folder: Path, address: str, days: int = 825, authority: Path | None = None) -> Path:
    """Make the files of the page in a folder.

    Args:
        folder: the folder; made here.
        address: the IP address that the engine's certificate is for.
        days: how long both certificates are valid; less than 0: they have expired.
        authority: a folder with an authority to use instead of a new one.
    """
    folder.mkdir(parents=True)
    if authority is not None:
        for name in ("ca.pem", "ca-key.pem"):
            (folder / name).write_bytes((authority / name).read_bytes())
    for command in commands():
        if authority is not None and "-out ca.pem" in command:
            continue
        text = command.replace(SHOWN_ADDRESS, address).replace(SHOWN_DAYS, f"-days {days}")
        done = subprocess.run(
            ["/bin/bash", "-c", text], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stderr}"
    return folder


def commands() -> list[str]:
    marked = [block for block in blocks(PAGE) if block.mark == ("run", "certificates")]
    return [command for block in marked for command, _ in block.commands]


def tls(folder: Path, **changes: Path) -> dict[str, str]:
    """The block of a configuration for these files."""
    files = {
        "ca": folder / "ca.pem",
        "cert": folder / "manager.pem",
        "key": folder / "manager-key.pem",
    }
    return {name: str(path) for name, path in (files | changes).items()}
