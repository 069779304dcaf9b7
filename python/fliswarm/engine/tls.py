"""Engines over TLS: our certificates, and what is wrong with them or with the engine's."""

from __future__ import annotations

import functools
import re
import socket
import ssl
from pathlib import Path

from ..config import Tls
from ..errors import EngineUntrusted, os_reason

PAGE = "docs/how-to/safe-engines.md"
HTTP_TO_HTTPS = "HTTP request to an HTTPS server"
"""In the answer of an engine with TLS to one who speaks plain HTTP (Go's net/http)."""
_EXPIRED, _NOT_YET, _NAME, _ADDRESS = 10, 9, 62, 64
"""X509_V_ERR_… of OpenSSL's x509_vfy.h."""


def make_context(node: str, tls: Tls) -> ssl.SSLContext:
    """Our side of a TLS connection; nodes with the same files share one.

    Raises:
        EngineUntrusted: a file cannot be read or is not what it should be.
    """
    times = []
    for name, path in tls.model_dump().items():
        try:
            with Path(path).open("rb") as file:
                file.read(1)
            times.append(Path(path).stat().st_mtime_ns)
        except OSError as error:
            reason = f"cannot read {path} (tls.{name}): {os_reason(error)}"
            raise EngineUntrusted(node, reason) from error
    try:
        return _context(tls, tuple(times))
    except _BadFileError as error:
        raise EngineUntrusted(node, str(error)) from error


class _BadFileError(Exception):
    pass


@functools.lru_cache(maxsize=16)
def _context(tls: Tls, times: tuple[int, ...]) -> ssl.SSLContext:
    """Made anew when a file has changed, which `times` tells."""
    try:
        context = ssl.create_default_context(cafile=tls.ca)
    except ssl.SSLError as error:
        raise _BadFileError(f"{tls.ca} (tls.ca) holds no certificate (PEM)") from error
    try:
        # A passphrase would be asked for on the terminal.
        context.load_cert_chain(tls.cert, tls.key, password=lambda: b"")
    except (ssl.SSLError, ValueError) as error:
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            reason = f"the key {tls.key} does not belong to the certificate {tls.cert}"
        else:
            reason = (
                f"{tls.cert} and {tls.key} are no certificate and key without a passphrase (PEM)"
            )
        raise _BadFileError(reason) from error
    return context


def say(error: BaseException, tls: Tls, host: str) -> str | None:
    """What a failed TLS connection means and what to do; None when it is not about TLS."""
    found = _find(error, ssl.SSLError)
    if not isinstance(found, ssl.SSLError) or isinstance(found, ssl.SSLEOFError):
        return None
    if isinstance(found, ssl.SSLCertVerificationError):
        what = {
            _EXPIRED: "has expired: make a new one",
            _NOT_YET: "is not valid yet: compare the clocks",
            _NAME: f"is for other names: make one for {host} (subjectAltName)",
            _ADDRESS: f"is for other addresses: make one for {host} (subjectAltName IP)",
        }.get(found.verify_code, f"is not signed by {tls.ca} ({found.verify_message})")
        return f"the certificate of {host} {what}; {PAGE}"
    reason = str(found.reason or found)
    if "ALERT" in reason:
        alert = re.sub(r"^.*ALERT_", "", reason).replace("_", " ").lower()
        return (
            f"{host} refuses our certificate {tls.cert} ({alert}): it must be signed by the "
            f"engine's tlscacert and not be expired; {PAGE}"
        )
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"):
        return f"{host} speaks no TLS at this port: give its engine tlsverify; {PAGE}"
    return f"TLS with {host}: {reason.replace('_', ' ').lower()}"


def ask_why(context: ssl.SSLContext, tls: Tls, host: str, port: int, timeout: float) -> str | None:
    """Why a connection with TLS was closed without a word; None when it is not about TLS.

    With TLS 1.3 an engine refuses our certificate after the handshake. By then a request may
    be under way, and its end overtakes the reason. So shake hands and ask nothing.
    """
    shaken = False
    try:
        with (
            socket.create_connection((host, port), timeout) as plain,
            context.wrap_socket(plain, server_hostname=host) as safe,
        ):
            shaken = True
            safe.recv(1)
    except ssl.SSLError as error:
        return say(error, tls, host)
    except (TimeoutError, ValueError):
        return None
    except OSError:
        pass
    return f"{host} closes the connection: does it refuse {tls.cert}? {PAGE}" if shaken else None


def is_closed(error: BaseException) -> bool:
    """Whether the other side has closed the connection without a word."""
    return _find(error, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError) is not None


def _find(error: BaseException, *kinds: type[BaseException]) -> BaseException | None:
    """The first error of a kind in a pile of wrappers."""
    seen: set[int] = set()
    queue: list[BaseException] = [error]
    while queue:
        one = queue.pop(0)
        if isinstance(one, kinds):
            return one
        if id(one) not in seen:
            seen.add(id(one))
            inner = (*one.args, getattr(one, "reason", None), one.__cause__, one.__context__)
            queue += [item for item in inner if isinstance(item, BaseException)]
    return None
