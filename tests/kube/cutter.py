"""A local port between a client and an API server that a test can cut: connections drop, new ones are refused or not.

Imported by the contract tests. It carries bytes, so TLS goes through it untouched.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.kit.documents import dump_yaml, load_documents

HOST = "127.0.0.1"


class Cutter:
    """The port in between; a context manager."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._frozen = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._spawn(self._accept, self._listener)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in list(self._threads):
            thread.join(5)
        self._listener.close()

    def cut(self) -> None:
        """Drop every connection that is open now."""
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def shut(self) -> None:
        """Drop every connection and refuse new ones, as a dead server does."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def freeze(self) -> None:
        """Carry nothing from now on, while connections stay open, as a paused server does."""
        self._frozen.set()

    def kubeconfig(self, original: Path, copy: Path) -> Path:
        """Write a kubeconfig that leads through here."""
        value = load_documents(original)[0].value
        value["clusters"][0]["cluster"]["server"] = f"https://{HOST}:{self.port}"
        copy.write_text(dump_yaml(value), encoding="utf-8")
        return copy

    def _spawn(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]  # any of ours
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection((HOST, self._target))
            with self._lock:
                self._open |= {client, server}
            self._spawn(self._carry, client, server)
            self._spawn(self._carry, server, client)

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self._frozen.is_set():
                    sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
        source.close()
