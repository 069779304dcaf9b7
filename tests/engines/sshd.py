"""A real sshd on a node of the testbed, and what the manager's ssh needs to trust it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.testbed import cache
from tests.testbed.machine import port_answers, run, wait_until

PASSWD = "sshd:x:4242:65534::/run/sshd:/usr/sbin/nologin\n"


def program() -> Path:
    """Debian's sshd, unpacked and not installed: installing it would open this computer."""

    def make(made: Path) -> None:
        subprocess.run(
            ["apt-get", "download", "-q", "openssh-server", "libwrap0"],
            cwd=made, check=True, capture_output=True,
        )  # fmt: skip
        for package in made.glob("*.deb"):
            run("dpkg", "-x", package, made)
            package.unlink()

    with cache.locked():
        return cache.entry("sshd", cache.digest("openssh-server"), make)


class Sshd:
    """sshd in a node's network namespace, with a mount namespace for its user and folder.

    Args:
        folder: for its keys and files; it must exist.
        namespace: path of the network namespace.
        address: where it listens, port 22.
        engine: the folder of the socket of the node's engine, to be found at /var/run.
    """

    def __init__(
        self, folder: Path, namespace: Path, address: str, engine: Path | None = None
    ) -> None:
        self.folder = folder
        self.engine = engine
        self.namespace = namespace
        self.address = address
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        for name in ("host", "user"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name)
        (self.folder / "passwd").write_text(Path("/etc/passwd").read_text() + PASSWD)
        host_key = (self.folder / "host.pub").read_text()
        (self.folder / "known_hosts").write_text(f"{self.address} {host_key}")
        (self.folder / "sshd_config").write_text(
            f"ListenAddress {self.address}\nHostKey {self.folder}/host\nUsePAM no\n"
            f"AuthorizedKeysFile {self.folder}/user.pub\nStrictModes no\nPidFile none\n"
            "PasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        )
        tree = program()
        kept = self.folder / "engine"
        kept.mkdir()
        script = (
            f"mount --bind {self.folder}/passwd /etc/passwd && "
            f"mount --bind {self.engine or kept} {kept} && mount -t tmpfs none /run && "
            f"mkdir -p /run/sshd && ln -s {kept}/docker.sock /run/docker.sock && "
            f"LD_LIBRARY_PATH={tree}/usr/lib/x86_64-linux-gnu exec "
            f"{tree}/usr/sbin/sshd -D -e -f {self.folder}/sshd_config"
        )
        command = ["nsenter", f"--net={self.namespace}", "unshare", "-m", "sh", "-c", script]
        with (self.folder / "sshd.log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(lambda: port_answers(self.address, 22), "sshd listens", 10)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)

    def client(self) -> Path:
        """A folder with the real ssh, given this test's key and known hosts."""
        folder = self.folder / "bin"
        folder.mkdir()
        ssh = folder / "ssh"
        ssh.write_text(
            f"#!/bin/sh\nexec /usr/bin/ssh -F none -i {self.folder}/user "
            f'-o UserKnownHostsFile={self.folder}/known_hosts "$@"\n'
        )
        ssh.chmod(0o755)
        return folder
