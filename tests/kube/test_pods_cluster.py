"""Programs, logs and ports of real pods on a kind cluster."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from harness.kit.errors import DeadlineError
from harness.kit.waiting import Pending, until
from harness.kube import ApiError, Forbidden, Kube, Manifest, NotFound, PortForward, condition_of, dig

pytestmark = pytest.mark.cluster
IMAGE = "docker.io/library/busybox:1.28"
SCRIPT = """
echo begun
mkdir /www && hostname > /www/index.html && httpd -p 8080 -h /www
nc -ll -p 9090 -e cat &
trap 'exit 0' TERM
test -e /restart/me && exit 3
while true; do sleep 0.1; done
"""
SOON = 30.0


def pod(name: str, **labels: str) -> Manifest:
    """Return a pod that serves its name over HTTP on 8080 and echoes on 9090."""
    container: Manifest = {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", SCRIPT],
    }
    container["readinessProbe"] = {"tcpSocket": {"port": 9090}, "periodSeconds": 1}
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


def until_ready(kube: Kube, name: str) -> None:
    """Wait until a pod is ready."""

    def ready(found: Manifest | None) -> bool | Pending:
        state = (condition_of(found or {}, "Ready") or {}).get("status")
        return state == "True" or Pending(f"Ready is {state}, phase {dig(found or {}, 'status.phase')}")

    kube.until("v1", "Pod", name, None, ready, timeout=SOON, wanted=f"pod {name} ready")


def start(kube: Kube, name: str, **labels: str) -> None:
    """Create a pod and wait until it is ready; a new namespace takes a moment to have its service account."""

    def created() -> bool | Pending:
        try:
            kube.create(pod(name, **labels))
        except Forbidden as error:
            return Pending(error.message)
        return True

    until(created, timeout=SOON, wanted=f"pod {name} created")
    until_ready(kube, name)


def replace(kube: Kube, name: str, **labels: str) -> None:
    """Delete a pod and create it again."""
    kube.delete("v1", "Pod", name, grace=0)
    kube.until_gone("v1", "Pod", name, timeout=SOON)
    kube.create(pod(name, **labels))


@pytest.fixture(scope="module")
def server(cluster_kube: Kube) -> Kube:
    """Return a client whose default namespace has a ready pod "server"."""
    start(cluster_kube, "server")
    return cluster_kube


def fetch(port: int, path: str = "index.html") -> bytes:
    """Return what is served over HTTP."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.settimeout(10)
        client.sendall(f"GET /{path} HTTP/1.0\r\n\r\n".encode())
        data = b""
        while piece := client.recv(65536):
            data += piece
    return data.partition(b"\r\n\r\n")[2]


def echoed(forward: PortForward, text: bytes = b"hello") -> bytes:
    """Return what comes back for a text; nothing when the connection is closed or reset."""
    data = b""
    with (
        socket.create_connection((forward.host, forward.port), 10) as client,
        contextlib.suppress(ConnectionResetError, BrokenPipeError),
    ):
        client.settimeout(10)
        client.sendall(text)
        while len(data) < len(text) and (piece := client.recv(65536)):
            data += piece
    return data


def test_a_program_gives_its_output_and_exit_code(server: Kube) -> None:
    """Both outputs and the exit code come apart; it takes milliseconds."""
    done = server.exec("server", None, ["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (done.exit_code, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert done.seconds < 2.0  # 60 ms on an idle machine


def test_a_program_reads_its_input_to_the_end(server: Kube) -> None:
    """Much input arrives whole, and the program sees its end."""
    text = "0123456789" * 100_000
    done = server.exec("server", None, ["md5sum"], stdin=text)
    assert done.stdout.split()[0] == hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def test_much_output_arrives_whole(server: Kube) -> None:
    """Nothing is lost at the end of a long output."""
    assert len(server.exec("server", None, ["head", "-c", "2000000", "/dev/zero"]).stdout) == 2_000_000


@pytest.mark.parametrize(
    ("name", "argv", "container", "seen"),
    [
        ("nobody", ["true"], None, 'pods "nobody" not found'),
        ("server", ["no-such-program"], None, "executable file not found"),
        ("server", ["true"], "nothing", "container nothing is not valid for pod server"),
    ],
)
def test_a_program_that_cannot_be_run_is_an_error(
    server: Kube, name: str, argv: list[str], container: str | None, seen: str
) -> None:
    """A missing pod, program or container is told by the server's own sentence."""
    with pytest.raises(ApiError) as caught:
        server.exec(name, None, argv, container=container)
    assert seen in caught.value.seen


def test_a_program_that_takes_too_long_is_given_up(server: Kube) -> None:
    """At the deadline the error has what it printed."""
    with pytest.raises(DeadlineError) as caught:
        server.exec("server", None, ["sh", "-c", "echo so far; sleep 5"], timeout=1.0)
    assert "so far" in caught.value.seen


def test_logs_are_read_and_followed(server: Kube) -> None:
    """All of it, the tail, and line by line; logs of a container that never restarted have no previous ones."""
    assert server.logs("server", None).startswith("begun\n")
    assert server.logs("server", None, tail=0) == ""
    with server.follow_logs("server", None) as log:
        assert log.until(lambda line: line == "begun", timeout=SOON, wanted="the line begun") == "begun"
    with server.follow_logs("server", None) as log, pytest.raises(DeadlineError) as caught:
        log.until(lambda line: line == "never", timeout=0.5, wanted="the line never")
    assert "last line" in caught.value.seen
    with pytest.raises(ApiError, match="logs of pod"):
        server.logs("server", None, previous=True)
    with pytest.raises(NotFound):
        server.logs("nobody", None)


def test_a_forward_is_up_at_once(server: Kube) -> None:
    """Less than 300 ms from the call to the first answer through the port."""
    begun = time.monotonic()
    with server.port_forward("server", None, 9090) as forward:
        assert echoed(forward) == b"hello"
        assert time.monotonic() - begun < 0.3  # 60 ms on an idle machine


def test_many_connections_carry_much_data(server: Kube) -> None:
    """Connections side by side each get their own bytes back."""
    texts = [bytes([65 + number]) * 200_000 for number in range(10)]
    results: dict[int, bytes] = {}
    with server.port_forward("server", None, 9090) as forward:

        def work(number: int) -> None:
            results[number] = echoed(forward, texts[number])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert [results[number] == texts[number] for number in range(10)] == [True] * 10


def test_a_port_where_nobody_listens_is_noted(server: Kube) -> None:
    """The connection is closed, and the notes have the node's own words."""
    with server.port_forward("server", None, 7777) as forward:
        assert echoed(forward) == b""
    assert "connection refused" in forward.notes[0]


@pytest.fixture
def extra(cluster_kube: Kube) -> Iterator[Callable[..., None]]:
    """Yield a function that starts a pod, which is removed in the end."""
    names: list[str] = []

    def run(name: str, **labels: str) -> None:
        names.append(name)
        start(cluster_kube, name, **labels)

    yield run
    for name in names:
        cluster_kube.delete("v1", "Pod", name, grace=0)


def test_a_forward_survives_its_pod(cluster_kube: Kube, extra: Callable[..., None]) -> None:
    """After the pod was replaced by one of the same name the same local port leads to it, and the notes say so."""
    extra("moving")
    with cluster_kube.port_forward("moving", None, 9090, patience=30) as forward:
        assert echoed(forward) == b"hello"
        replace(cluster_kube, "moving")
        answer = until(  # the pod may run before its program listens
            lambda: echoed(forward) or Pending("no answer"), timeout=SOON, wanted="an answer of the new pod"
        )
        assert answer == b"hello"
        assert any("was replaced" in note for note in forward.notes)


def test_a_forward_says_so_when_its_pod_is_gone(cluster_kube: Kube, extra: Callable[..., None]) -> None:
    """An open connection ends, the next one fails after its patience, and the notes name the pod and the reason."""
    extra("leaving")
    with cluster_kube.port_forward("leaving", None, 9090, patience=0.5) as forward:
        with socket.create_connection((forward.host, forward.port), 10) as client:
            client.settimeout(30)
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            cluster_kube.delete("v1", "Pod", "leaving", grace=0)
            assert client.recv(1) == b""
        cluster_kube.until_gone("v1", "Pod", "leaving", timeout=SOON)
        assert echoed(forward) == b""
    assert 'pods "leaving" not found' in forward.notes[-1]


def test_a_service_leads_to_a_ready_pod(cluster_kube: Kube, extra: Callable[..., None]) -> None:
    """The Service's port is mapped to the pod's; when the pod in use goes, another ready one takes over."""
    extra("web-a", app="web")
    extra("web-b", app="web")
    ports = [{"name": "echo", "port": 90, "targetPort": 9090}, {"name": "http", "port": 80, "targetPort": 8080}]
    spec = {"selector": {"app": "web"}, "ports": ports}
    cluster_kube.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec})
    slices = ("discovery.k8s.io/v1", "EndpointSlice", cluster_kube.default_namespace)
    with cluster_kube.watch(*slices, labels="kubernetes.io/service-name=web") as watch:
        watch.until(
            lambda found: _ready(found) == 2 or Pending(f"{_ready(found)} of 2"), timeout=SOON, wanted="2 ready"
        )
        with cluster_kube.port_forward("web", None, 80) as forward:
            assert fetch(forward.port) == b"web-a\n"
            cluster_kube.delete("v1", "Pod", "web-a", grace=0)
            watch.until(lambda found: _ready(found) == 1 or Pending("still 2"), timeout=SOON, wanted="1 ready")
            assert fetch(forward.port) == b"web-b\n"
            assert any("web-a:8080" in note and "web-b:8080" in note for note in forward.notes)


def _ready(slices: list[Manifest]) -> int:
    endpoints = [endpoint for one in slices for endpoint in one.get("endpoints") or []]
    return sum(bool(dig(endpoint, "conditions.ready")) for endpoint in endpoints)
