"""Kubeconfigs: which server is spoken to, and what is said when the choice is wrong."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

import harness
from harness.kit.errors import UsageError
from harness.kube import Forbidden, Kube, Unreachable


def kubeconfig(path: Path, server: str = "http://127.0.0.1:1", current: str = "one", **user: Any) -> Path:
    """Write a kubeconfig with the contexts one and two."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "first"}},
            {"name": "two", "context": {"cluster": "c", "user": "u"}},
            {"name": "broken", "context": {"cluster": "nowhere", "user": "u"}},
        ],
        "current-context": current,
    }
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's own kubeconfig out of the tests."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every request with its own headers."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[dict[str, str]]] = []
    refuse: ClassVar[dict[str, str] | None] = None

    def do_GET(self) -> None:
        self.seen.append({name.lower(): text for name, text in self.headers.items()})
        body = json.dumps(self.refuse or {"gitVersion": "v1.99.0"}).encode()
        self.send_response(403 if self.refuse else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """Yield the address of a server that answers /version."""
    Handler.seen.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def test_the_current_context_is_the_default(tmp_path: Path) -> None:
    """Without a context the file's current one counts, with its namespace; a context without one has default."""
    path = kubeconfig(tmp_path / "config")
    with Kube.connect(path) as kube:
        assert (kube.context, kube.default_namespace, kube.server) == ("one", "first", "http://127.0.0.1:1")
    with Kube.connect(path, "two") as kube:
        assert (kube.context, kube.default_namespace) == ("two", "default")


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$KUBECONFIG counts before ~/.kube/config, and may list files of which some do not exist."""
    home = tmp_path / "home" / ".kube"
    home.mkdir(parents=True)
    kubeconfig(home / "config", current="two")
    with Kube.connect() as kube:
        assert kube.context == "two"
    named = kubeconfig(tmp_path / "named", current="one")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'missing'}{os.pathsep}{named}")
    with Kube.connect() as kube:
        assert kube.context == "one"


def test_a_request_carries_agent_and_token(tmp_path: Path, server: str) -> None:
    """The server learns who asks, and the user's token."""
    with Kube.connect(kubeconfig(tmp_path / "config", server, token="s3cret")) as kube:
        assert kube.server_version() == "v1.99.0"
    assert Handler.seen[0]["user-agent"] == f"operator-harness/{harness.__version__}"
    assert Handler.seen[0]["authorization"] == "Bearer s3cret"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error has the file that was looked for."""
    with pytest.raises(UsageError) as caught:
        Kube.connect(tmp_path / "missing")
    assert caught.value.where == str(tmp_path / "missing")
    with pytest.raises(UsageError) as caught:
        Kube.connect()
    assert caught.value.where.endswith("home/.kube/config")


def test_a_missing_context_lists_those_that_exist(tmp_path: Path) -> None:
    """The error has the nearest name and all names."""
    with pytest.raises(UsageError) as caught:
        Kube.connect(kubeconfig(tmp_path / "config"), "tow")
    assert 'did you mean "two"?' in caught.value.seen
    assert caught.value.exists == ("one", "two", "broken")


@pytest.mark.parametrize(("current", "context"), [("gone", None), ("one", "broken")])
def test_a_context_that_leads_nowhere_is_an_error(tmp_path: Path, current: str, context: str | None) -> None:
    """A current context that does not exist, and a context whose cluster does not, list the contexts."""
    with pytest.raises(UsageError) as caught:
        Kube.connect(kubeconfig(tmp_path / "config", current=current), context)
    assert caught.value.exists == ("one", "two", "broken")
    assert "\n" not in caught.value.seen


def test_what_stands_around_a_fault_is_not_shown(tmp_path: Path) -> None:
    """An entry that lacks a part is an error that does not quote the entry: it may hold a token."""
    path = kubeconfig(tmp_path / "config")
    config = json.loads(path.read_text(encoding="utf-8"))
    config["users"] = [{"name": "u", "usr": {"token": "s3cret"}}]
    path.write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        Kube.connect(path)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", "just words", "users: [{user: {token: s3cret}\n"])
def test_a_file_that_is_no_kubeconfig_is_an_error(tmp_path: Path, text: str) -> None:
    """Whatever is in the file, the answer is one error that names it and shows none of its contents."""
    path = tmp_path / "config"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        Kube.connect(path)
    assert caught.value.where == str(path)
    assert "s3cret" not in str(caught.value)


def test_a_server_that_does_not_answer_is_named_without_its_user(tmp_path: Path) -> None:
    """The error has the address, the reason, and nothing that could be a credential."""
    path = kubeconfig(tmp_path / "config", "http://user:pass@127.0.0.1:1", token="s3cret")
    with Kube.connect(path) as kube, pytest.raises(Unreachable) as caught:
        kube.server_version()
    assert caught.value.where == "http://127.0.0.1:1"
    assert caught.value.seen == "no answer: Connection refused"
    assert not {"pass", "s3cret"} & set(str(caught.value).replace(":", " ").split())


def test_a_server_that_is_silent_does_not_hang_us(tmp_path: Path) -> None:
    """A server that accepts and says nothing is given up after the timeout."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        path = kubeconfig(tmp_path / "config", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with Kube.connect(path, request_timeout=0.1) as kube, pytest.raises(Unreachable) as caught:
            kube.server_version()
    assert caught.value.seen == "no answer: silence until the timeout"


def test_a_name_that_does_not_resolve_is_told_in_plain_words(tmp_path: Path) -> None:
    """The resolver's sentence is the reason."""
    path = kubeconfig(tmp_path / "config", "http://no-such-host.invalid:1")
    with Kube.connect(path) as kube, pytest.raises(Unreachable) as caught:
        kube.server_version()
    assert caught.value.where == "http://no-such-host.invalid:1"
    assert "urllib3" not in str(caught.value)
    assert "Errno" not in str(caught.value)


def test_a_websocket_that_is_refused_has_the_servers_reason(tmp_path: Path, server: str) -> None:
    """Exec speaks another protocol; its refusals and its dead servers give the same errors as other requests."""
    Handler.refuse = {"reason": "Forbidden", "message": "no exec for you"}
    try:
        with Kube.connect(kubeconfig(tmp_path / "config", server, token="s3cret")) as kube:
            with pytest.raises(Forbidden) as caught:
                kube.exec("p", "ns", ["true"])
            assert caught.value.message == "no exec for you"
            assert Handler.seen[0]["authorization"] == "Bearer s3cret"
            assert Handler.seen[0]["sec-websocket-protocol"] == "v5.channel.k8s.io,v4.channel.k8s.io"
    finally:
        Handler.refuse = None
    with Kube.connect(kubeconfig(tmp_path / "config")) as kube, pytest.raises(Unreachable) as dead:
        kube.exec("p", "ns", ["true"])
    assert dead.value.seen == "no answer: Connection refused"


def test_importing_the_package_does_not_load_the_official_client() -> None:
    """Start-up is a budget: kubernetes, urllib3 and websocket are loaded when a client connects."""
    code = "import sys, harness.kube; print([m for m in ('kubernetes', 'urllib3', 'websocket') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_connecting_loads_no_typed_models(tmp_path: Path) -> None:
    """The official client's typed classes, which cost half a second, stay unloaded."""
    path = kubeconfig(tmp_path / "config")
    code = (
        "import sys, pathlib; from harness.kube import Kube; Kube.connect(pathlib.Path(sys.argv[1]));"
        "print(sum(name.startswith(('kubernetes.client.models.', 'kubernetes.client.api.')) for name in sys.modules))"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) == 0


def test_a_client_that_is_closed_stops_what_it_opened(tmp_path: Path) -> None:
    """Watches end with their client, so that nothing outlives a test by accident."""
    from tests.kube.fakes import FakeStream, FakeTransport, listed

    stream = FakeStream(open_end=True)
    kube = Kube(FakeTransport([listed("1")], [stream]))
    watch = kube.watch("v1", "ConfigMap", "ns").wait_synced(5)
    kube.close()
    assert stream.closed.is_set()
    assert not watch._thread.is_alive()
    assert list(watch.events(1)) == []
