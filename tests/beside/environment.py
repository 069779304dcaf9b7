"""sdss-fliswarm 0.7.0 in a virtual environment of its own, made once and kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "fliswarm-beside"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
MINUTES = 10
AWAY = ("No matching distribution", "Could not install packages due to an OSError")
"""How pip says that it cannot fetch something."""


class CannotFetch(Exception):
    """Pip cannot fetch sdss-fliswarm; the text is pip's."""


def command() -> list[str]:
    """What starts sdss-fliswarm 0.7.0; installs it when it is not there.

    Raises:
        CannotFetch: pip cannot fetch it.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + version.encode()).hexdigest()[:16]
    folder = CACHE / key
    if not folder.is_dir():
        _make(folder)
    # The script's first line names the folder in which it was made, so Python is called by name.
    return [str(folder / "bin/python"), str(folder / "bin/fliswarm")]


def _make(folder: Path) -> None:
    """Install under another name, then rename: a run that is killed leaves nothing half-made."""
    CACHE.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=CACHE, prefix=".making-"))
    try:
        subprocess.run([sys.executable, "-m", "venv", str(making)], check=True, timeout=120)
        _pip(making, "install", "--quiet", "--requirement", str(REQUIREMENTS))
        try:
            making.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another run was faster
                raise
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _pip(environment: Path, *words: str) -> None:
    pip = [str(environment / "bin/python"), "-m", "pip", *words]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=MINUTES * 60, check=False)
    if done.returncode == 0:
        return
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    reason = (errors or ["no word"])[-1]
    if any(words in reason for words in AWAY):
        raise CannotFetch(reason)
    raise RuntimeError(f"pip cannot install sdss-fliswarm: {done.stderr[-3000:]}")
