"""Expensive things made once: folders named after a hash of what they were made from."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .machine import claim

FOLDER = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "fliswarm-testbed"


def digest(*parts: str | bytes | Path) -> str:
    """A short hash of texts, and of files and folders (names and contents)."""
    total = hashlib.sha256()
    for part in parts:
        for piece in _pieces(part):
            total.update(len(piece).to_bytes(8, "big") + piece)
    return total.hexdigest()[:16]


def _pieces(part: str | bytes | Path) -> Iterator[bytes]:
    if isinstance(part, str):
        yield part.encode()
    elif isinstance(part, bytes):
        yield part
    elif part.is_dir():
        for path in _files(part):
            yield str(path.relative_to(part)).encode()
            yield path.read_bytes()
    else:
        yield part.read_bytes()


def _files(folder: Path) -> Iterable[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if "__pycache__" not in path.parts)


@contextmanager
def locked(patience: float = 600) -> Iterator[None]:
    """Be the only one who fills the cache; wait up to `patience` seconds for that."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with claim("cache", patience):
        for leftover in FOLDER.glob(".making-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


def entry(kind: str, key: str, make: Callable[[Path], None], keep: int = 3) -> Path:
    """The folder `kind-key` of the cache; `make` fills it if it is not there.

    It is made under another name and renamed when it is complete, so a run that is killed
    leaves no half-filled folder. Of all folders of the kind the `keep` last used stay.
    To be called with the cache `locked`.
    """
    path = FOLDER / f"{kind}-{key}"
    if not path.is_dir():
        making = Path(tempfile.mkdtemp(dir=FOLDER, prefix=".making-"))
        try:
            make(making)
            making.chmod(0o755)
            making.rename(path)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    os.utime(path)
    for folder in _by_age(f"{kind}-*")[:-keep]:
        shutil.rmtree(folder, ignore_errors=True)
    return path


def nearest(kind: str, *keys: str) -> Path | None:
    """The folder `kind-key` of the first key, else the newest whose key begins so; or None.

    For two keys a and b: `kind-a-b`, else the newest `kind-a-…`.
    """
    exact = FOLDER / "-".join([kind, *keys])
    if exact.is_dir():
        return exact
    alike = _by_age(f"{kind}-{keys[0]}-*")
    return alike[-1] if alike else None


def _by_age(pattern: str) -> list[Path]:
    """Folders of the cache, the last used last."""
    return sorted(FOLDER.glob(pattern), key=lambda path: path.stat().st_mtime)
