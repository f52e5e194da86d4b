"""An API server without nodes: etcd and kube-apiserver as child processes, ready in a few seconds.

Everybody above harness.clusters may use it: for contract tests, and for suites that assert only API objects. No
controller runs, so namespaces do not go away and workloads never get pods.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import ssl
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.kit.documents import dump_yaml
from harness.kit.errors import HarnessError, UsageError
from harness.kit.process import Child, find_program, run
from harness.kit.waiting import Deadline, Pending, until

__all__ = ["Binaries", "ControlPlane", "find_binaries"]

_ASSETS = "KUBEBUILDER_ASSETS"
_HOST = "127.0.0.1"
_START = 60.0  # seconds; it takes 3 to 5 on two idle cores
_STOP = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """The programs that a control plane is made of."""

    etcd: Path
    apiserver: Path

    @classmethod
    def within(cls, folder: Path) -> Binaries:
        """Return the programs in a folder.

        Raises:
            UsageError: one of them is not there.
        """
        found = cls(etcd=folder / "etcd", apiserver=folder / "kube-apiserver")
        missing = [path.name for path in (found.etcd, found.apiserver) if not os.access(path, os.X_OK)]
        if missing:
            raise UsageError(
                "the programs etcd and kube-apiserver",
                seen=f"no {' and no '.join(missing)}",
                where=str(folder),
                exists=sorted(path.name for path in folder.glob("*")) if folder.is_dir() else (),
                run=_HOW,
            )
        return found


_HOW = f"harness airgap build --control-plane, or export {_ASSETS}=FOLDER"


def find_binaries(env: Mapping[str, str] = os.environ, *, build: Callable[[], Path] | None = None) -> Binaries:
    """Return the control plane's programs: from $KUBEBUILDER_ASSETS, else built by the air gap, once.

    Args:
        env: the environment to look into.
        build: gives the folder of the built programs; the air gap's by default.

    Raises:
        UsageError: the named folder lacks one of them, or they cannot be built here; says what to run.
    """
    named = env.get(_ASSETS)
    return Binaries.within(Path(named) if named else (build or _build)())


def _build() -> Path:
    from harness.airgap import control_plane_binaries  # on first use: most runs have a cluster

    return control_plane_binaries()


class ControlPlane:
    """etcd and kube-apiserver in a folder of their own; start and stop it, or use it as a context manager.

    Args:
        binaries: the programs; None finds them.
        folder: where data, logs and the kubeconfig go; None is a new temporary folder, removed by stop.
    """

    def __init__(self, binaries: Binaries | None = None, folder: Path | None = None) -> None:
        self._binaries = binaries or find_binaries()
        self._temporary = tempfile.TemporaryDirectory(prefix="harness-control-plane-") if folder is None else None
        self.folder = folder or Path(self._temporary.name if self._temporary else "")
        self.kubeconfig = self.folder / "kubeconfig"
        self.url = ""
        self._children: list[Child] = []

    def start(self, timeout: float | Deadline = _START) -> Self:
        """Start both programs and wait until the API server is ready.

        Raises:
            HarnessError: one of them ended; with the tail of its log.
            DeadlineError: it was not ready in time; with what it still waits for.
        """
        deadline = timeout if isinstance(timeout, Deadline) else Deadline.after(timeout)
        try:
            self._start(deadline)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End both programs, the API server first, and remove a temporary folder."""
        while self._children:
            self._children.pop().stop(_STOP)
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, deadline: Deadline) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        etcd_port, peer_port, port = _free_ports(3)
        etcd = self._child("etcd", _etcd_command(self._binaries.etcd, self.folder / "data", etcd_port, peer_port))
        token = secrets.token_hex(16)
        # Written before the server starts: only we may read it.
        tokens = _private(self.folder / "tokens.csv", f"{token},harness,harness,system:masters\n")
        key = _signing_key(self.folder / "service-account.key", deadline)
        self.url = f"https://{_HOST}:{port}"
        certificates = self.folder / "certificates"
        command = _apiserver_command(
            self._binaries.apiserver, etcd_port=etcd_port, port=port, certificates=certificates, tokens=tokens, key=key
        )
        server = self._child("kube-apiserver", command)
        certificate = certificates / "apiserver.crt"
        until(
            lambda: _ready(self.url, token, certificate, (etcd, server)),
            timeout=deadline, wanted="kube-apiserver ready", interval=0.05, longest=0.2,
        )  # fmt: skip
        _private(self.kubeconfig, dump_yaml(_kubeconfig(self.url, token, certificate)))

    def _child(self, name: str, command: list[str | Path]) -> Child:
        child = Child.start([*_ends_with_us(), *command], log=self.folder / f"{name}.log")
        self._children.append(child)
        return child


def _ends_with_us() -> list[str | Path]:
    """Return what a command begins with so that the program ends when we are killed without a chance to stop it.

    The kernel ties it to the thread that starts it, so only where that is the main one, which lives as long as we do.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None or threading.current_thread() is not threading.main_thread():
        return []
    return [setpriv, "--pdeathsig", "KILL", "--"]


def _etcd_command(program: Path, data: Path, port: int, peer_port: int) -> list[str | Path]:
    url, peer = f"http://{_HOST}:{port}", f"http://{_HOST}:{peer_port}"
    return [
        program, "--data-dir", data, "--listen-client-urls", url, "--advertise-client-urls", url,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
        "--unsafe-no-fsync", "--log-level", "warn",
    ]  # fmt: skip


def _apiserver_command(
    program: Path, *, etcd_port: int, port: int, certificates: Path, tokens: Path, key: Path
) -> list[str | Path]:
    return [
        program, f"--etcd-servers=http://{_HOST}:{etcd_port}", f"--secure-port={port}", f"--bind-address={_HOST}",
        f"--advertise-address={_HOST}", f"--cert-dir={certificates}", f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24", "--allow-privileged=true",
        f"--service-account-issuer=https://{_HOST}:{port}", f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        # Pods would wait for a default service account that no controller makes.
        "--disable-admission-plugins=ServiceAccount",
        # The endpoints of the server's own Service need an address that is not a loopback one.
        "--endpoint-reconciler-type=none",
    ]  # fmt: skip


def _ready(url: str, token: str, certificate: Path, children: tuple[Child, ...]) -> bool | Pending:
    for child in children:
        if not child.running():
            name = child.log.stem
            raise HarnessError(f"{name} running", seen=f"it ended:\n{child.output(15)}", where=str(child.log))
    if not certificate.exists():
        return Pending("the server has not made its certificate yet")
    request = urllib.request.Request(f"{url}/readyz?verbose", headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    try:
        context = ssl.create_default_context(cafile=str(certificate))
        with urllib.request.urlopen(request, timeout=2.0, context=context):  # noqa: S310 - https, our own server
            return True
    except urllib.error.HTTPError as error:
        lines = error.read().decode("utf-8", "replace").splitlines()
        return Pending("not ready: " + ", ".join(line[3:] for line in lines if line.startswith("[-]")))
    except (OSError, ssl.SSLError) as error:
        return Pending(f"no answer: {error}")


def _signing_key(path: Path, deadline: Deadline) -> Path:
    openssl = find_program("openssl", install="apt-get install openssl")
    _private(path, "")
    # Not genpkey: the API server reads EC keys only in their traditional form.
    command = [openssl, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path]
    run([str(part) for part in command], timeout=deadline.sooner(10.0).left())
    return path


def _kubeconfig(url: str, token: str, certificate: Path) -> dict[str, object]:
    name = "control-plane"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url, "certificate-authority": str(certificate)}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def _private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on; held together, so that they differ."""
    held = [socket.create_server((_HOST, 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports
