"""The seam between what the harness asks of an API server and how bytes get there.

`Transport` is the Protocol; `connect` gives the real one, made of the official client's kubeconfig handling and its
urllib3 pool. Only harness.kube imports this module; `kubernetes` is loaded inside `connect`, not at import.
"""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit, urlunsplit

import harness
from harness.kit.errors import UsageError, did_you_mean
from harness.kube.errors import Unreachable, error_from

__all__ = ["Request", "Response", "Stream", "Target", "Transport", "connect"]

JSON = "application/json"
_POOL = 32  # kept connections; threads beyond that open one for the moment
_QUOTED_PART = re.compile(r"/\{.*\}")
_TLS_NOISE = re.compile(r"^\[[A-Z0-9_: ]+\] | \(_ssl\.c:\d+\)$")
_CONNECT = 5.0  # seconds for TCP and TLS: an API server is near or it is down
Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request; `read` is the longest silence on the connection in seconds."""

    method: str
    path: str
    wanted: str
    query: Query = ()
    body: bytes | None = None
    content_type: str = JSON
    accept: str = JSON
    read: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Stream(Protocol):
    """An answer that is read while it comes."""

    status: int

    def __iter__(self) -> Iterator[bytes]:
        """Yield chunks; end when the server ends or close is called; raise Unreachable when the connection breaks."""
        ...

    def close(self) -> None:
        """End the stream at once, from any thread."""
        ...


class Transport(Protocol):
    """What carries requests to one API server."""

    @property
    def server(self) -> str:
        """The server's address without credentials."""
        ...

    def send(self, request: Request) -> Response:
        """Carry out a request; raise Unreachable when no answer comes."""
        ...

    def stream(self, request: Request) -> Stream:
        """Begin a request whose answer is read while it comes; raise Unreachable when no answer comes."""
        ...

    def websocket(self, request: Request, protocols: Sequence[str]) -> Any:
        """Return an open websocket (websocket-client's WebSocket); raise an ApiError when it is refused."""
        ...

    def close(self) -> None:
        """Drop all kept connections."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a kubeconfig chose: the context's name, its namespace and the way there."""

    context: str
    namespace: str
    transport: Transport


def connect(kubeconfig: Path | None, context: str | None) -> Target:
    """Read a kubeconfig and return the way to its server; no request is made.

    Args:
        kubeconfig: the file; None takes $KUBECONFIG, then ~/.kube/config, then a pod's own service account.
        context: the context's name; None takes the file's current one.

    Raises:
        UsageError: no such file, not a kubeconfig, no such context; with the contexts that exist.
    """
    from kubernetes import client

    configuration = client.Configuration()
    configuration.connection_pool_maxsize = _POOL
    files = _files(kubeconfig)
    if not files and kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        name, namespace = _in_cluster(configuration)
    else:
        name, namespace = _from_files(kubeconfig, files, context, configuration)
    return Target(context=name, namespace=namespace, transport=_Urllib3Transport(client.ApiClient(configuration)))


def _files(kubeconfig: Path | None) -> list[Path]:
    if kubeconfig is not None:
        named = [kubeconfig]
    elif listed := os.environ.get("KUBECONFIG"):
        named = [Path(part) for part in listed.split(os.pathsep) if part]
    else:
        named = [Path.home() / ".kube" / "config"]
    return [path for path in named if path.is_file()]


def _in_cluster(configuration: Any) -> tuple[str, str]:
    from kubernetes import config

    load: Any = config.load_incluster_config
    load(client_configuration=configuration)
    namespace = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
    return "in-cluster", namespace.read_text(encoding="utf-8").strip() if namespace.is_file() else "default"


def _from_files(
    kubeconfig: Path | None, files: Sequence[Path], context: str | None, configuration: Any
) -> tuple[str, str]:
    from kubernetes import config

    loader: Any = config  # it has annotations only in part
    where = str(kubeconfig or os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    if not files:
        raise UsageError("a kubeconfig file", seen="no such file", where=where, run="kubectl config view --raw")
    joined = os.pathsep.join(str(path) for path in files)
    try:
        contexts, active = loader.list_kube_config_contexts(joined)
    except Exception as error:  # noqa: BLE001 - the loader raises its own error, YAML's, and plain ones for odd shapes
        raise _broken(where, error, context) from None
    chosen = _choose(contexts, context, active, where)
    try:
        loader.load_kube_config(joined, chosen["name"], configuration, persist_config=False)
    except Exception as error:  # noqa: BLE001 - the same
        raise _broken(where, error, chosen["name"]) from None
    return str(chosen["name"]), str((chosen.get("context") or {}).get("namespace") or "default")


def _choose(
    contexts: Sequence[Mapping[str, Any]], name: str | None, active: Mapping[str, Any], where: str
) -> Mapping[str, Any]:
    if name is None:
        return active
    found = next((one for one in contexts if one.get("name") == name), None)
    if found is None:
        names = [str(one.get("name")) for one in contexts]
        raise UsageError(
            f"the context {name} of a kubeconfig",
            seen=f"no such context; {did_you_mean(name, names)}".rstrip("; "),
            where=where,
            exists=names,
            run="kubectl config get-contexts",
        )
    return found


def _broken(where: str, error: Exception, context: str | None) -> UsageError:
    # Only the first line, and no quoted part: errors show what stands around the fault, which may hold keys.
    seen = _QUOTED_PART.sub("/...", (str(error) or type(error).__name__).split("\n", 1)[0])
    exists = _context_names(where)
    wanted = f"the context {context} of a kubeconfig" if context else "a kubeconfig with a current context"
    return UsageError(wanted, seen=seen, where=where, exists=exists, run="kubectl config get-contexts")


def _context_names(where: str) -> list[str]:
    from harness.kit.documents import load_documents

    names: list[str] = []
    for path in where.split(os.pathsep):
        with contextlib.suppress(UsageError, AttributeError, TypeError):
            names += [str(one.get("name")) for doc in load_documents(Path(path)) for one in doc.value["contexts"]]
    return names


class _Urllib3Transport:
    """The official client's pool, TLS and credentials, without its models."""

    def __init__(self, api: Any) -> None:
        self._configuration = api.configuration
        self._pool = api.rest_client.pool_manager
        self._auth_lock = threading.Lock()  # a credential plugin must not run twice at once
        self.server = _without_user(str(api.configuration.host).rstrip("/"))
        self._agent = f"operator-harness/{harness.__version__}"

    def send(self, request: Request) -> Response:
        answer = self._begin(request, preload=True)
        return Response(status=answer.status, body=answer.data, headers=answer.headers)

    def stream(self, request: Request) -> Stream:
        return _Urllib3Stream(self._begin(request, preload=False), request.wanted, self.server)

    def websocket(self, request: Request, protocols: Sequence[str]) -> Any:
        import websocket

        url = self._configuration.host.rstrip("/") + request.path + _encoded(request.query)
        headers = {"User-Agent": self._agent, **self._credentials()}
        try:
            return websocket.create_connection(
                "ws" + url.removeprefix("http"),
                timeout=request.read,  # the answer comes when the node has answered
                header=headers,
                subprotocols=list(protocols),
                sslopt=_tls(self._configuration),
                suppress_origin=True,
                enable_multithread=True,
                **_proxy(self._configuration),
            )
        except websocket.WebSocketBadStatusException as error:
            raise error_from(request.wanted, error.status_code, error.resp_body or b"", server=self.server) from None
        except (websocket.WebSocketException, OSError) as error:
            raise _unreachable(request.wanted, self.server, error) from None

    def close(self) -> None:
        self._pool.clear()

    def _begin(self, request: Request, *, preload: bool) -> Any:
        import urllib3

        headers = {"Accept": request.accept, "User-Agent": self._agent, **self._credentials()}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        try:
            return self._pool.request(
                request.method,
                self._configuration.host.rstrip("/") + request.path + _encoded(request.query),
                body=request.body,
                headers=headers,
                timeout=urllib3.Timeout(connect=min(_CONNECT, request.read), read=request.read),
                retries=False,
                preload_content=preload,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unreachable(request.wanted, self.server, error) from None

    def _credentials(self) -> dict[str, str]:
        with self._auth_lock:
            auth = self._configuration.auth_settings().get("BearerToken")
        return {"Authorization": auth["value"]} if auth and auth["value"] else {}


class _Urllib3Stream:
    """A response that is read chunk by chunk and can be ended from another thread."""

    def __init__(self, response: Any, wanted: str, server: str) -> None:
        self._response = response
        self._wanted = wanted
        self._server = server
        self._closed = threading.Event()
        self.status: int = response.status

    def __iter__(self) -> Iterator[bytes]:
        import urllib3

        try:
            yield from self._response.stream(1 << 16)
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            # ValueError and AttributeError: what reading a response yields that another thread has closed.
            if not self._closed.is_set():
                raise _unreachable(self._wanted, self._server, error) from None
        finally:
            with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
                self._response.close()

    def close(self) -> None:
        self._closed.set()
        # A close alone would not wake a thread that is reading; shutting the socket down does.
        with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):
            self._response.shutdown()


def _unreachable(wanted: str, server: str, error: Exception) -> Unreachable:
    return Unreachable(
        wanted,
        reason="no answer",
        message=_reason(error),
        server=server,
        run="kubectl cluster-info (with the same kubeconfig and context)",
    )


def _reason(error: BaseException) -> str:
    """Return the innermost reason of a connection error in plain words."""
    inner = getattr(error, "reason", None)
    inner = inner if isinstance(inner, BaseException) else error.__cause__
    if isinstance(inner, BaseException):
        return _reason(inner)
    if isinstance(error, TimeoutError) and not error.errno:
        return "silence until the timeout"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    # urllib3 begins with "Pool(host=..., port=...): ".
    return _TLS_NOISE.sub("", text.split("): ", 1)[-1]) or type(error).__name__


def _encoded(query: Query) -> str:
    return f"?{urlencode(query)}" if query else ""


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _tls(configuration: Any) -> dict[str, Any]:
    chosen = {
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
        "ca_certs": configuration.ssl_ca_cert,
    }
    options: dict[str, Any] = {name: value for name, value in chosen.items() if value}
    if not configuration.verify_ssl:
        return options | {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
    return options | {"cert_reqs": ssl.CERT_REQUIRED}


def _proxy(configuration: Any) -> dict[str, Any]:
    if not configuration.proxy:
        return {"http_no_proxy": ["*"]}  # only what the kubeconfig says, as for other requests
    parts = urlsplit(configuration.proxy)
    return {"http_proxy_host": parts.hostname, "http_proxy_port": parts.port, "proxy_type": parts.scheme or "http"}
