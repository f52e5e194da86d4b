"""A deployed Galera cluster as the tests see it: its members, its objects, and the verbs that change it.

Knows Galera and its operator; knows of Kubernetes, KUDO and SQL only what the harness offers. Checks are in checks.py.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from harness.kit.errors import HarnessError
from harness.kit.waiting import Deadline, Pending, until
from harness.load import Ledger, SqlSession, WriteSession, table_statement, writers
from harness.probes.sql import Address, Login, Sql, TimeLimits, connect
from suites.galera.checks import check_members

if TYPE_CHECKING:  # the client and the engine come from fixtures; collecting the tests need not load them
    from harness.kube import Kube, Manifest, PortForward
    from harness.kudo.session import Kudo

__all__ = [
    "APPLIED_KINDS",
    "DATABASE",
    "OPERATOR",
    "PACKAGE",
    "PORTS",
    "ROOT_PASSWORD",
    "SMALL",
    "SST_PASSWORD",
    "Door",
    "Galera",
    "Member",
    "container_state",
    "restarts",
]

PACKAGE = Path(__file__).parent / "operator"
OPERATOR = "galera"
PORTS = {"mysql": 3306, "sst": 4444, "replication": 4567, "ist": 4568}
DATABASE = "harness"
APPLIED_KINDS = (
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("policy/v1", "PodDisruptionBudget"),
    ("v1", "Pod"),
)

# Quotes, a comment sign, a backslash, a variable, a space: what breaks YAML, option files, shells and SQL.
ROOT_PASSWORD = """r00t "quoted" #1 it's \\ $HOME %"""
SST_PASSWORD = """1e3 "#\\';:$(x) {{ . }}"""
SMALL = {
    "MYSQL_ROOT_PASSWORD": ROOT_PASSWORD,
    "SST_PASSWORD": SST_PASSWORD,
    "INNODB_BUFFER_POOL_SIZE": "32M",
    "INNODB_LOG_FILE_SIZE": "16M",
    "GCACHE_SIZE": "32M",
    "MAX_CONNECTIONS": "60",
    "MEMORY_REQUEST": "128Mi",
}

_STATUS = "SHOW GLOBAL STATUS LIKE 'wsrep%'"
_LIMITS = TimeLimits(connect=5.0, read=20.0, write=20.0)
_WRITE_LIMITS = TimeLimits(connect=3.0, read=8.0, write=8.0)
_PATIENCE = 1.0  # seconds that a connection waits for a pod that is being replaced; a client would go elsewhere


class Member:
    """One node: its pod, and SQL to it through a port-forward of its own.

    Args:
        kube: the cluster.
        namespace: where the pod is.
        name: the pod's name.
    """

    def __init__(self, kube: Kube, namespace: str, name: str) -> None:
        self.name = name
        self._kube = kube
        self._namespace = namespace
        self._forward: PortForward | None = None
        self._lock = threading.Lock()
        login = Login(user="root", password=ROOT_PASSWORD)
        self._plain = Sql(self._address, login, limits=_LIMITS, name=name)
        # A read that waits until everything is applied here that was acknowledged anywhere before.
        self._causal = Sql(self._address, login, limits=_LIMITS, name=name, prepare=["SET SESSION wsrep_sync_wait = 7"])

    def status(self) -> dict[str, str]:
        """Return the wsrep status variables."""
        return self._plain.pairs(_STATUS)

    def variables(self) -> dict[str, str]:
        """Return the global variables, lower-case."""
        return {name.lower(): value for name, value in self._plain.pairs("SHOW GLOBAL VARIABLES").items()}

    def rows(self, statement: str, arguments: Sequence[Any] = (), /) -> list[tuple[Any, ...]]:
        """Return the rows of a query, which sees all that was acknowledged anywhere before."""
        return self._causal.rows(statement, arguments)

    def execute(self, statement: str, arguments: Sequence[Any] = ()) -> int:
        """Run a statement and return how many rows it touched."""
        return self._plain.execute(statement, arguments)

    def pod(self) -> Manifest:
        """Return the pod."""
        return self._kube.get("v1", "Pod", self.name, self._namespace)

    def log(self) -> str:
        """Return what the server has printed since it was last started."""
        return self._kube.logs(self.name, self._namespace, container="mariadb")

    def run(self, argv: Sequence[str], /, *, timeout: float = 20.0) -> tuple[int, str]:
        """Run a program in the server's container and return its exit code and output."""
        done = self._kube.exec(self.name, self._namespace, argv, container="mariadb", timeout=timeout)
        return done.exit_code, done.stdout

    def close(self) -> None:
        """Close the connections and the port-forward."""
        self._plain.close()
        self._causal.close()
        with self._lock:
            if self._forward is not None:
                self._forward.stop()
                self._forward = None

    def _address(self) -> Address:
        with self._lock:
            if self._forward is None:
                self._forward = self._kube.port_forward(
                    f"pod/{self.name}", self._namespace, PORTS["mysql"], patience=_PATIENCE
                )
            return Address(self._forward.host, self._forward.port)


class Galera:
    """A Galera cluster that the operator looks after.

    Args:
        kube: the Kubernetes cluster.
        kudo: the engine and its verbs.
        namespace: where the instance is.
        instance: the Instance's name.
    """

    def __init__(self, kube: Kube, kudo: Kudo, *, namespace: str, instance: str = "galera") -> None:
        self.kube = kube
        self.kudo = kudo
        self.namespace = namespace
        self.instance = instance
        self.uuid = ""
        self._members: dict[str, Member] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def stateful_set(self) -> str:
        """The StatefulSet's name."""
        return f"{self.instance}-{OPERATOR}"

    @property
    def client_service(self) -> str:
        """The Service for clients."""
        return f"{self.instance}-cs"

    @property
    def headless_service(self) -> str:
        """The Service through which nodes find each other."""
        return f"{self.instance}-hs"

    @property
    def size(self) -> int:
        """NODE_COUNT as the Instance has it."""
        spec = self.kudo.instance(self.instance, namespace=self.namespace)["spec"]
        return int((spec.get("parameters") or {}).get("NODE_COUNT", "3"))

    def install(self, *, timeout: float, **parameters: object) -> None:
        """Install the operator and wait until the cluster is whole; its UUID is kept for `uuid`."""
        values = {**SMALL, **parameters}
        self.kudo.install(PACKAGE, namespace=self.namespace, instance=self.instance, parameters=values, wait=timeout)
        self.until_synced(self.size, timeout=60)
        self.uuid = self.cluster_uuid()

    def update(self, **parameters: object) -> None:
        """Change parameters; does not wait."""
        self.kudo.update(self.instance, namespace=self.namespace, parameters=parameters)

    def scale(self, size: int) -> None:
        """Change NODE_COUNT; does not wait."""
        self.update(NODE_COUNT=size)

    def until_plan(self, plan: str, *, timeout: float) -> dict[str, Any]:
        """Wait until a plan is complete and return its status."""
        return self.kudo.until_plan(self.instance, namespace=self.namespace, plan=plan, timeout=timeout)

    def until_synced(self, size: int, *, timeout: float) -> dict[str, dict[str, str]]:
        """Wait until there are exactly that many members, all ready, Primary and Synced; return their status.

        Raises:
            DeadlineError: with what is still different.
        """
        deadline = Deadline.after(timeout)
        self.kube.until(
            "apps/v1",
            "StatefulSet",
            self.stateful_set,
            self.namespace,
            lambda found: _rolled_out(found, size),
            timeout=deadline,
            wanted=f"{size} nodes, all of them ready",
        )
        return until(
            lambda: self._synced(size),
            timeout=deadline,
            wanted=f"wsrep_cluster_size {size} on every member, Primary and Synced",
        )

    def until_replaced(self, old: Manifest, *, timeout: float) -> None:
        """Wait until a pod's name belongs to another pod, which runs."""
        name, uid = old["metadata"]["name"], old["metadata"]["uid"]

        def replaced(found: Manifest | None) -> bool | Pending:
            if found is None or found["metadata"]["uid"] == uid:
                return Pending("the old pod is there" if found else "no pod of that name")
            phase = _status(found).get("phase")
            return True if phase == "Running" else Pending(f"the new pod is {phase}")

        self.kube.until("v1", "Pod", name, self.namespace, replaced, timeout=timeout, wanted=f"a new pod {name}")

    def crash(self, member: Member) -> None:
        """End a member's server at once, as a crash would; nothing is flushed and nobody is told."""
        # The first process of a container is deaf to signals from inside it; the server ends itself when it is told
        # that it ran into a fault. SIGSEGV has a handler, so it is delivered.
        member.run(["bash", "-c", "kill -SEGV 1"])

    def until_restarted(self, member: Member, count: int, *, timeout: float) -> None:
        """Wait until a pod's containers were restarted so many times, and run."""

        def restarted(found: Manifest | None) -> bool | Pending:
            seen = restarts(found) if found else 0
            state = container_state(found, "mariadb") if found else "no pod"
            return True if seen >= count and state.startswith("running") else Pending(f"{seen} restarts, {state}")

        wanted = f"{member.name} restarted {count} times"
        self.kube.until("v1", "Pod", member.name, self.namespace, restarted, timeout=timeout, wanted=wanted)

    def until_unready(self, member: Member, *, timeout: float) -> None:
        """Wait until the client Service no longer leads to a member."""

        def unready() -> bool | Pending:
            return Pending("it is still among the ready endpoints") if member.name in self.ready_names() else True

        until(unready, timeout=timeout, wanted=f"{self.client_service} without {member.name}")

    def ready_names(self) -> list[str]:
        """Return the names of the pods that the client Service leads to, in order."""
        return sorted(
            str(endpoint["targetRef"]["name"])
            for one in self.slices(self.client_service)
            for endpoint in one.get("endpoints") or []
            if (endpoint.get("conditions") or {}).get("ready", True)
        )

    def until_refused(self, *, timeout: float) -> str:
        """Wait until the first node's init container has failed, and return its log."""
        init, name = f"{self.instance}-init", f"{self.stateful_set}-0"

        def refused(found: Manifest | None) -> bool | Pending:
            for status in _status(found or {}).get("initContainerStatuses") or []:
                states = [status.get(name) or {} for name in ("state", "lastState")]
                if any((state.get("terminated") or {}).get("exitCode", 0) != 0 for state in states):
                    return True
            return Pending(container_state(found, init) if found else "no pod")

        self.kube.until("v1", "Pod", name, self.namespace, refused, timeout=timeout, wanted=f"{init} to refuse")
        return self.kube.logs(name, self.namespace, container=init)

    def _synced(self, size: int) -> dict[str, dict[str, str]] | Pending:
        statuses: dict[str, dict[str, str]] = {}
        for member in self.members(size):
            try:
                statuses[member.name] = member.status()
            except HarnessError as error:
                return Pending(f"{member.name}: {error.seen or error.wanted}")
        differences = check_members(statuses, size)
        return Pending("; ".join(differences)) if differences else statuses

    def members(self, size: int | None = None) -> list[Member]:
        """Return the members, in order; all that NODE_COUNT asks for unless a number is given."""
        names = [f"{self.stateful_set}-{number}" for number in range(self.size if size is None else size)]
        for name in names:
            if name not in self._members:
                self._members[name] = Member(self.kube, self.namespace, name)
        return [self._members[name] for name in names]

    def statuses(self) -> dict[str, dict[str, str]]:
        """Return the wsrep status of every member."""
        return {member.name: member.status() for member in self.members()}

    def cluster_uuid(self) -> str:
        """Return the UUID of the cluster, as the first member tells it."""
        return self.members(1)[0].status()["wsrep_cluster_state_uuid"]

    def pods(self) -> list[Manifest]:
        """Return the nodes' pods that are not on their way out, in order."""
        labels = f"app=galera,instance={self.instance}"
        found = self.kube.list("v1", "Pod", self.namespace, labels=labels)
        there = [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]
        return sorted(there, key=lambda pod: pod["metadata"]["name"])

    def objects(self, api_version: str, kind: str) -> list[Manifest]:
        """Return the objects of a kind that the operator applied for this instance."""
        labels = f"heritage=kudo,kudo.dev/instance={self.instance}"
        return self.kube.list(api_version, kind, self.namespace, labels=labels)

    def get(self, api_version: str, kind: str, name: str) -> Manifest:
        """Return an object of the instance's namespace."""
        return self.kube.get(api_version, kind, name, self.namespace)

    def files(self) -> dict[str, str]:
        """Return the option files of the nodes' ConfigMap."""
        return dict(self.get("v1", "ConfigMap", f"{self.instance}-nodeconfig")["data"])

    def slices(self, service: str) -> list[Manifest]:
        """Return the EndpointSlices of a Service."""
        labels = f"kubernetes.io/service-name={service}"
        return self.kube.list("discovery.k8s.io/v1", "EndpointSlice", self.namespace, labels=labels)

    def claims(self) -> list[str]:
        """Return the names of the nodes' volume claims, in order."""
        found = self.kube.list(
            "v1", "PersistentVolumeClaim", self.namespace, labels=f"kudo.dev/instance={self.instance}"
        )
        return sorted(claim["metadata"]["name"] for claim in found)

    @contextmanager
    def writing(self, *, rate: float, threads: int = 3, journal: Path | None = None) -> Iterator[Ledger]:
        """Write through the client Service while the block runs; yields the ledger."""
        ledger = Ledger(journal, database=DATABASE)
        first = self.members(1)[0]
        first.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        first.execute(table_statement(ledger.table))
        with Door(self) as door:
            open_session: Callable[[], WriteSession] = lambda: door.open(ledger.table)  # noqa: E731 - typed by the seam
            with writers(open_session, ledger, rate=rate, threads=threads, renew=40):
                yield ledger

    def door(self) -> Door:
        """Return the way of a client: through the Service for clients."""
        return Door(self)

    def remove(self, *, timeout: float) -> None:
        """Uninstall, and wait until nothing but the volumes is left; nothing to do when it is not installed."""
        self.close()
        if self.kube.find("kudo.dev/v1beta1", "Instance", self.instance, self.namespace) is None:
            return
        deadline = Deadline.after(timeout)
        self.kudo.uninstall(self.instance, namespace=self.namespace, wait=timeout)
        for api_version, kind in APPLIED_KINDS:
            until(lambda: self._gone(api_version, kind), timeout=deadline, wanted=f"no {kind} of {self.instance}")  # noqa: B023

    def drop_volumes(self, *, timeout: float) -> None:
        """Delete the volume claims that were left, with their data, and wait until they are gone."""
        for name in self.claims():
            self.kube.delete("v1", "PersistentVolumeClaim", name, self.namespace)
        until(
            lambda: Pending(f"still there: {left}") if (left := self.claims()) else True,
            timeout=timeout,
            wanted="no claims",
        )

    def _gone(self, api_version: str, kind: str) -> bool | Pending:
        left = [found["metadata"]["name"] for found in self.objects(api_version, kind)]
        return Pending(f"still there: {', '.join(left)}") if left else True

    def close(self) -> None:
        """Close the connections to all members."""
        for member in self._members.values():
            member.close()
        self._members.clear()


class Door:
    """The way of a client: each connection goes to one of the pods that the client Service offers, in turn.

    The choice is made here, from the Service's EndpointSlices, as kube-proxy makes it inside the cluster.
    """

    def __init__(self, galera: Galera) -> None:
        self._galera = galera
        self._turn = itertools.count()
        self._forwards: dict[str, PortForward] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            for forward in self._forwards.values():
                forward.stop()
            self._forwards.clear()

    def open(self, table: str) -> WriteSession:
        """Connect and return a session that writes into a table."""
        forward = self._forward(self._pod())
        login = Login(user="root", password=ROOT_PASSWORD, database=DATABASE)
        connection = connect(Address(forward.host, forward.port), login, limits=_WRITE_LIMITS, name=forward.target)
        return SqlSession(connection, table)

    def sql(self) -> Sql:
        """Return SQL through the Service."""
        login = Login(user="root", password=ROOT_PASSWORD)
        return Sql(self._address, login, limits=_LIMITS, name=self._galera.client_service)

    def _address(self) -> Address:
        forward = self._forward(self._pod())
        return Address(forward.host, forward.port)

    def _pod(self) -> str:
        names = self._galera.ready_names()
        if not names:
            raise HarnessError(f"a ready pod behind {self._galera.client_service}", seen="no endpoint is ready")
        return names[next(self._turn) % len(names)]

    def _forward(self, pod: str) -> PortForward:
        with self._lock:
            if pod not in self._forwards:
                self._forwards[pod] = self._galera.kube.port_forward(
                    f"pod/{pod}", self._galera.namespace, PORTS["mysql"], patience=_PATIENCE
                )
            return self._forwards[pod]


def _rolled_out(found: Manifest | None, size: int) -> bool | Pending:
    if found is None:
        return Pending("there is no StatefulSet")
    status = found.get("status") or {}
    if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
        return Pending("the StatefulSet's newest change is not observed")
    seen = {name: status.get(name, 0) for name in ("replicas", "readyReplicas", "updatedReplicas")}
    if found["spec"]["replicas"] != size or set(seen.values()) != {size}:
        return Pending(
            ", ".join(f"{name} {value}" for name, value in {"wanted": found["spec"]["replicas"], **seen}.items())
        )
    return True


def container_state(pod: Manifest, container: str) -> str:
    """Return a container's state in a word or two, such as "running" or "waiting CrashLoopBackOff"."""
    statuses = [one for kind in ("containerStatuses", "initContainerStatuses") for one in _status(pod).get(kind) or []]
    for status in statuses:
        if status["name"] == container:
            for word, details in (status.get("state") or {}).items():
                return f"{word} {details.get('reason', '')}".strip()
    return "unknown"


def restarts(pod: Manifest) -> int:
    """Return how often a pod's containers were restarted."""
    return sum(int(status["restartCount"]) for status in _status(pod).get("containerStatuses") or [])


def _status(found: Manifest) -> dict[str, Any]:
    return dict(found.get("status") or {})
