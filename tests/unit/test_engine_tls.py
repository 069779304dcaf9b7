"""Engines over TLS: what is wrong is said in words; a stub engine with real certificates."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fliswarm.config import Tls
from fliswarm.engine import DockerEngine
from fliswarm.errors import EngineTimeout, EngineUntrusted
from tests.engines import certificates
from tests.fleet import wire

ANSWER = wire.response(200, {"Version": "20.10", "ApiVersion": "1.41"})
BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates.make(tmp_path_factory.mktemp("tls") / "good", "127.0.0.1")


@pytest.fixture(scope="module")
def expired(good: Path) -> Path:
    return certificates.make(good.parent / "expired", "127.0.0.1", -1, good)


@pytest.fixture(scope="module")
def elsewhere(good: Path) -> Path:
    """For another address."""
    return certificates.make(good.parent / "elsewhere", "10.0.0.1", authority=good)


@pytest.fixture(scope="module")
def strange(good: Path) -> Path:
    """Of another authority."""
    return certificates.make(good.parent / "strange", "127.0.0.1")


class Server:
    """An engine's side, blocking: asyncio's TLS closes without saying why."""

    def __init__(self, folder: Path | None, silent: bool = False) -> None:
        self.silent = silent
        self.context = None
        if folder is not None:
            self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.context.load_verify_locations(folder / "ca.pem")
            self.context.load_cert_chain(folder / "gfa1.pem", folder / "gfa1-key.pem")
            self.context.verify_mode = ssl.CERT_REQUIRED
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.threads = [threading.Thread(target=self._listen)]
        self.threads[0].start()

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for thread in self.threads:
            thread.join(5)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.socket.accept()
                self.threads.append(threading.Thread(target=self._serve, args=(peer,)))
                self.threads[-1].start()

    def _serve(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            peer.settimeout(5)
            safe = self.context.wrap_socket(peer, server_side=True) if self.context else peer
            with safe:
                while data := safe.recv(65536):
                    if not self.silent:
                        safe.sendall(ANSWER if data.startswith(b"GET ") else BAD)


@contextlib.asynccontextmanager
async def engine(
    folder: Path | None, tls: Tls | None, silent: bool = False
) -> AsyncIterator[DockerEngine]:
    """A client of an engine that has the certificates of a folder; None: plain TCP."""
    server = Server(folder, silent)
    client = DockerEngine("gfa1", f"tcp://127.0.0.1:{server.port}", 2, tls)
    try:
        yield client
    finally:
        client.close()
        await asyncio.to_thread(server.close)


def ours(folder: Path, **changes: Path) -> Tls:
    return Tls(**certificates.tls(folder, **changes))


async def test_both_sides_trust_each_other(good: Path) -> None:
    async with engine(good, ours(good)) as client:
        assert await client.check() == "20.10"


def test_the_certificates_pass_the_strict_rules_of_python_3_13(good: Path) -> None:
    for name, purpose in (("gfa1", "sslserver"), ("manager", "sslclient")):
        done = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-purpose", purpose,
             "-CAfile", good / "ca.pem", good / f"{name}.pem"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


async def fails(folder: Path | None, tls: Tls) -> str:
    """The cause; said in time, and the layer and the node are named."""
    async with engine(folder, tls) as client:
        with pytest.raises(EngineUntrusted) as caught:
            await client.check()
    error = caught.value
    assert (error.layer, error.node, error.tried) == ("engine", "gfa1", "ask the version")
    return error.reason


async def test_an_engine_with_a_bad_certificate(
    good: Path, expired: Path, elsewhere: Path, strange: Path
) -> None:
    said = await fails(expired, ours(good))
    assert "the certificate of 127.0.0.1 has expired: make a new one" in said
    said = await fails(elsewhere, ours(good))
    assert "the certificate of 127.0.0.1 is for other addresses: make one for 127.0.0.1" in said
    said = await fails(strange, ours(good))
    assert f"the certificate of 127.0.0.1 is not signed by {good}/ca.pem" in said


@pytest.mark.parametrize("again", range(5))
async def test_an_engine_that_refuses_ours(
    again: int, good: Path, expired: Path, strange: Path
) -> None:
    for folder in (expired, strange):
        said = await fails(good, ours(folder, ca=good / "ca.pem"))
        assert f"127.0.0.1 refuses our certificate {folder}/manager.pem (" in said


async def test_one_side_without_tls(good: Path) -> None:
    assert "127.0.0.1 speaks no TLS at this port" in await fails(None, ours(good))


async def test_bad_files(good: Path, strange: Path, tmp_path: Path) -> None:
    away = tmp_path / "away.pem"
    for name in ("ca", "cert", "key"):
        said = await fails(good, ours(good, **{name: away}))
        assert said == f"cannot read {away} (tls.{name}): no such file or directory"
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("garbage")
    assert f"{garbage} (tls.ca) holds no certificate" in await fails(good, ours(good, ca=garbage))
    assert "are no certificate and key" in await fails(good, ours(good, key=garbage))
    said = await fails(good, ours(good, key=strange / "manager-key.pem"))
    assert "does not belong to the certificate" in said


def lock(key: Path, locked: Path) -> None:
    subprocess.run(
        ["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:x",
         "-out", locked],
        check=True, capture_output=True,
    )  # fmt: skip


async def test_a_key_with_a_passphrase_asks_nobody(good: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked.pem"
    lock(good / "manager-key.pem", locked)
    assert "without a passphrase" in await fails(good, ours(good, key=locked))


async def test_files_that_are_mended_are_read_anew(
    good: Path, strange: Path, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes((strange / "ca.pem").read_bytes())
    async with engine(good, ours(good, ca=ca)) as client:
        with pytest.raises(EngineUntrusted):
            await client.check()
        ca.write_bytes((good / "ca.pem").read_bytes())
        assert await client.check() == "20.10"


async def test_a_handshake_that_never_ends_has_a_deadline(good: Path) -> None:
    async with engine(None, ours(good), silent=True) as client:
        client.limit(0.5)
        with pytest.raises(EngineTimeout):
            await client.check()
