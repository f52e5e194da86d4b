"""What the package itself promises, before it meets a cluster: functions of its plans and rendered objects.

Pure, like checks.py. Each function is named in CHECKS, so that tests/galera can run all of them on a package with a
seeded fault and see which one finds it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suites.galera.checks import check_groups, options_of

if TYPE_CHECKING:  # the template engine is loaded when something is rendered, not when the tests are collected
    from harness.kudo.model import OperatorVersion
    from harness.kudo.package import Package
    from harness.kudo.preview import Rendered

Manifest = Mapping[str, Any]

INSTANCE, NAMESPACE = "galera", "golden"
ROOT_PASSWORD, SST_PASSWORD = "root-secret", "sst-secret"
PARAMETERS = {"MYSQL_ROOT_PASSWORD": ROOT_PASSWORD, "SST_PASSWORD": SST_PASSWORD, "SST_USER": "copier"}

_OLD_PROGRAM = re.compile(r"(?<![\w./-])(mysql|mysqladmin|mysqld)(?=[\s\"',]|$)")
_LONGEST_STOP = 62  # seconds that the preStop hook may take


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A package, rendered.

    Attributes:
        version: the operator's plans and parameters.
        deploy: what each task of the plan `deploy` does.
        scaled: the same for `node_update`, with two nodes more.
        other: the same for `deploy`, in another namespace.
    """

    version: OperatorVersion
    deploy: Sequence[Rendered]
    scaled: Sequence[Rendered]
    other: Sequence[Rendered]

    def find(self, kind: str, name: str, tasks: Sequence[Rendered] | None = None) -> Manifest:
        """Return the last rendering of an object in a plan."""
        found = [one for one in self.applied(tasks) if one["kind"] == kind and one["metadata"]["name"] == name]
        return found[-1] if found else {}

    def applied(self, tasks: Sequence[Rendered] | None = None) -> Iterator[Manifest]:
        """Yield the objects that a plan applies, `deploy` unless another one is given."""
        for task in self.deploy if tasks is None else tasks:
            if task.action == "apply":
                yield from task.manifests

    @property
    def statefulset(self) -> Manifest:
        """The nodes."""
        return self.find("StatefulSet", f"{INSTANCE}-galera")

    @property
    def node(self) -> Manifest:
        """The server's container in a node's pod."""
        spec = self.statefulset["spec"]["template"]["spec"]
        return next(one for one in spec["containers"] if one["name"] == "mariadb")

    @property
    def config(self) -> dict[str, str]:
        """The option files of the nodes, as they stand when `deploy` has ended."""
        return dict(self.find("ConfigMap", f"{INSTANCE}-nodeconfig")["data"])

    @property
    def scripts(self) -> dict[str, str]:
        """The nodes' scripts by name."""
        return dict(self.find("ConfigMap", f"{INSTANCE}-node-scripts").get("data") or {})

    def options(self) -> dict[str, str]:
        """Return all options of the nodes' option files, whatever their group."""
        return {
            name: value
            for text in self.config.values()
            for group in options_of(text).values()
            for name, value in group.items()
        }


def view_of(package: Package) -> View:
    """Render a package."""
    from harness.kudo.package import package_objects

    version = package_objects(package, namespace=NAMESPACE, instance=INSTANCE).parsed()

    def render(plan: str, namespace: str = NAMESPACE, **given: str) -> list[Rendered]:
        return rendering(version, plan, namespace, **given)

    return View(
        version=version,
        deploy=render("deploy"),
        scaled=render("node_update", NODE_COUNT="5"),
        other=render("deploy", namespace="elsewhere"),
    )


def rendering(version: OperatorVersion, plan: str, namespace: str = NAMESPACE, **given: str) -> list[Rendered]:
    """Return what each task of a plan does, with the given parameters and passwords that can be recognised."""
    from harness.kudo.preview import rendered_tasks

    values = {**PARAMETERS, **given}
    return list(rendered_tasks(version, plan=plan, instance=INSTANCE, namespace=namespace, given=values))


def load_view(path: Path) -> View:
    """Load and render a package from its folder."""
    from harness.kudo.packages import load_package

    return view_of(load_package(path))


# --- options and addresses --------------------------------------------------------------------------------------------


def check_option_groups(view: View) -> list[str]:
    """Options stand in groups that the server reads."""
    return check_groups(view.config) + check_groups(_bootstrap_files(view))


def check_group_name(view: View) -> list[str]:
    """Each instance has a group name of its own, at most 32 characters, the same on the bootstrap node."""
    names = [_group_name(view, tasks) for tasks in (view.deploy, view.other)]
    own = names[0]
    bootstrap = _all_options(_bootstrap_files(view)).get("wsrep_cluster_name")
    differences = [] if own and own != names[1] else [f"wsrep_cluster_name {own!r} is shared by instances"]
    if bootstrap != own:
        differences.append(f"the bootstrap node's wsrep_cluster_name is {bootstrap!r}, not {own!r}")
    return differences + ([f"wsrep_cluster_name {own!r} is longer than 32"] if own and len(own) > 32 else [])


def check_addresses(view: View) -> list[str]:
    """The address list names every node; the bootstrap node stands in it only while the cluster is made."""
    differences = []
    for tasks, count in ((view.deploy, 3), (view.scaled, 5)):
        lists = [
            _all_options(one["data"]).get("wsrep_cluster_address", "")
            for one in view.applied(tasks)
            if one["kind"] == "ConfigMap" and one["metadata"]["name"] == f"{INSTANCE}-nodeconfig"
        ]
        nodes = ",".join(f"{INSTANCE}-galera-{number}.{INSTANCE}-hs" for number in range(count))
        wanted = [f"gcomm://{nodes}"]
        if tasks is view.deploy:
            wanted.insert(0, f"gcomm://{INSTANCE}-bootstrap-svc,{nodes}")
        if lists != wanted:
            differences.append(f"wsrep_cluster_address is {lists}, not {wanted}")
    return differences


def check_node_identity(view: View) -> list[str]:
    """A node tells the others its own name and address, and where it wants its copy."""
    needed = ("--wsrep-node-name=", "--wsrep-node-address=", "--wsrep-sst-receive-address=")
    given = view.node.get("args") or []
    return [f"no argument {name}" for name in needed if not any(one.startswith(name) for one in given)]


def check_ports(view: View) -> list[str]:
    """Services, containers and the server agree on the ports, also when they are not the usual ones."""
    given = {"MYSQL_PORT": "3307", "SST_PORT": "4445", "REPLICATION_PORT": "5567", "IST_PORT": "5568"}
    tasks = rendering(view.version, "deploy", **given)
    moved = View(version=view.version, deploy=tasks, scaled=tasks, other=tasks)
    wanted = {"mysql": 3307, "sst": 4445, "replication": 5567, "ist": 5568}
    ports = {one["name"]: one["containerPort"] for one in moved.node["ports"]}
    differences = [] if ports == wanted else [f"container ports are {ports}, not {wanted}"]
    service = {one["name"]: one["port"] for one in moved.find("Service", f"{INSTANCE}-hs")["spec"]["ports"]}
    differences += [] if service == wanted else [f"Service ports are {service}, not {wanted}"]
    if moved.options().get("port") != "3307":
        differences.append("the server does not listen on MYSQL_PORT")
    if "base_port=5567" not in moved.options().get("wsrep_provider_options", ""):
        differences.append("Galera does not listen on REPLICATION_PORT")
    if not any(one.endswith(":4445") for one in moved.node.get("args") or []):
        differences.append("copies are not received on SST_PORT")
    return differences


# --- secrets ----------------------------------------------------------------------------------------------------------


def check_secrets(view: View) -> list[str]:
    """No password stands outside of a Secret."""
    return [
        f"{one['kind']} {one['metadata']['name']} holds a password"
        for one in view.applied()
        if one["kind"] != "Secret" and any(word in json.dumps(one) for word in (ROOT_PASSWORD, SST_PASSWORD))
    ]


def check_sst_account(view: View) -> list[str]:
    """Nodes and bootstrap node copy with the same account, from the same file, and the account is made."""
    name = f"{INSTANCE}-credentials"
    data = view.find("Secret", name).get("data") or {}
    differences = [f"Secret {name} has no {key}" for key in ("sst-auth.cnf", "sst-user.sql") if key not in data]
    pods = {"node": view.statefulset, "bootstrap": view.find("Deployment", f"{INSTANCE}-bootstrap")}
    for what, owner in pods.items():
        mounts = [
            mount
            for container in owner["spec"]["template"]["spec"]["containers"]
            for mount in container.get("volumeMounts") or []
        ]
        if not any(one.get("subPath") == "sst-auth.cnf" for one in mounts):
            differences.append(f"the {what} does not read sst-auth.cnf")
        if what == "bootstrap" and not any(one.get("subPath") == "sst-user.sql" for one in mounts):
            differences.append("the bootstrap node does not make the account")
    elsewhere = [one for one in (view.options(), _all_options(_bootstrap_files(view))) if "wsrep_sst_auth" in one]
    return differences + ["wsrep_sst_auth is set in a ConfigMap as well" for _ in elsewhere]


# --- probes and life cycle --------------------------------------------------------------------------------------------


def check_readiness(view: View) -> list[str]:
    """Ready means Primary, Synced and accepting statements, not merely answering."""
    text = _probe_text(view, "readinessProbe")
    needed = ("wsrep_cluster_status", "wsrep_local_state", "wsrep_ready")
    return [f"readiness does not ask for {name}" for name in needed if name not in text]


def check_joiners_live(view: View) -> list[str]:
    """A node that is still copying is not killed: a long startup probe stands before liveness."""
    probe = view.node.get("startupProbe") or {}
    seconds = int(probe.get("periodSeconds", 10)) * int(probe.get("failureThreshold", 3)) if probe else 0
    return [] if seconds >= 600 else [f"a joining node is killed after {seconds} s"]


def check_zombies_die(view: View) -> list[str]:
    """A server that has left the group for good is restarted; one that only lacks a majority is not."""
    text = re.sub(r"(?m)^\s*#.*$", "", _probe_text(view, "livenessProbe"))
    differences = [] if "Disconnected" in text else ["liveness does not notice a server that left the group"]
    return differences + (["liveness kills nodes without quorum"] if "Primary" in text else [])


def check_stop(view: View) -> list[str]:
    """Before a node stops it waits for its joiners, for a bounded time that the grace period covers."""
    hook = (view.node.get("lifecycle") or {}).get("preStop") or {}
    command = " ".join((hook.get("exec") or {}).get("command") or [])
    script = next((text for name, text in view.scripts.items() if name in command), "")
    if not command or not script:
        return ["there is no preStop hook with a script that exists"]
    grace = view.statefulset["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 30)
    return [] if grace > _LONGEST_STOP else [f"the grace period of {grace} s is shorter than the preStop hook"]


def check_programs(view: View) -> list[str]:
    """Probes and scripts call programs by names that images of MariaDB 11 have too."""
    probes = ("startupProbe", "livenessProbe", "readinessProbe")
    texts = [_probe_text(view, probe) for probe in probes] + list(view.scripts.values()) + _bootstrap_scripts(view)
    found = {name for text in texts for name in _OLD_PROGRAM.findall(text)}
    return [f"{name} is missing from MariaDB 11 images" for name in sorted(found)]


def check_images(view: View) -> list[str]:
    """Images are pulled only when they are missing, and have a tag that stays."""
    differences = []
    for owner in (view.statefulset, view.find("Deployment", f"{INSTANCE}-bootstrap")):
        spec = owner["spec"]["template"]["spec"]
        for container in [*(spec.get("initContainers") or []), *spec["containers"]]:
            policy, image = container.get("imagePullPolicy"), container["image"]
            if policy != "IfNotPresent":
                differences.append(f"{owner['kind']}, {container['name']}: imagePullPolicy {policy}")
            if ":" not in image or image.endswith(":latest"):
                differences.append(f"{owner['kind']}, {container['name']}: image {image}")
    return differences


def check_disruption_budget(view: View) -> list[str]:
    """A budget of an API that is served keeps a second node from being evicted."""
    budget = view.find("PodDisruptionBudget", f"{INSTANCE}-pdb")
    if budget.get("apiVersion") != "policy/v1":
        return [f"the budget is {budget.get('apiVersion', 'missing')}, not policy/v1"]
    labels = view.statefulset["spec"]["template"]["metadata"]["labels"]
    selected = budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
    return [] if selected and budget["spec"]["maxUnavailable"] == 1 else ["the budget does not cover the nodes"]


def check_names_before_ready(view: View) -> list[str]:
    """Nodes find each other before they are ready; clients find ready ones only."""
    headless, client = (view.find("Service", f"{INSTANCE}-{one}").get("spec") or {} for one in ("hs", "cs"))
    differences = [] if headless.get("publishNotReadyAddresses") else ["unready nodes have no name"]
    return differences + (["clients are sent to unready nodes"] if client.get("publishNotReadyAddresses") else [])


# --- plans ------------------------------------------------------------------------------------------------------------


def check_only_creation_bootstraps(view: View) -> list[str]:
    """No change of a parameter and no upgrade runs `deploy`."""
    plans = view.version.plans
    differences = [] if "update" in plans or "upgrade" in plans else ["changes without a plan of their own run deploy"]
    for name, parameter in view.version.parameters.items():
        plan = parameter.trigger or "update"
        if plan == "deploy":
            differences.append(f"{name} triggers deploy")
    for name, plan_ in plans.items():
        tasks = {task for _phase, step in plan_.steps() for task in step.tasks}
        if name != "deploy" and any(task.startswith("bootstrap_") for task in tasks):
            differences.append(f"plan {name} has bootstrap tasks")
    return differences


def check_bootstrap_looks_first(view: View) -> list[str]:
    """The bootstrap pod looks for nodes before it makes a cluster, and a node refuses a foreign cluster."""
    deployment = view.find("Deployment", f"{INSTANCE}-bootstrap")
    command = " ".join(deployment["spec"]["template"]["spec"]["containers"][0].get("command") or [])
    script = view.find("ConfigMap", f"{INSTANCE}-bootstrap")["data"].get("bootstrap.sh", "")
    differences = []
    if "bootstrap.sh" not in command or f"{INSTANCE}-hs" not in script:
        differences.append("the bootstrap pod makes a cluster without looking for nodes")
    inits = view.statefulset["spec"]["template"]["spec"].get("initContainers") or []
    if not any("init.sh" in " ".join(one.get("command") or []) for one in inits):
        differences.append("a node does not look at its data before it joins")
    if "wsrep_cluster_state_uuid" not in view.scripts.get("init.sh", ""):
        differences.append("a node joins a cluster that is not that of its data")
    return differences


def check_bootstrap_goes(view: View) -> list[str]:
    """Every object of the bootstrap node is deleted in the last step of `deploy`."""
    last = view.deploy[-1].step
    made = {_key(one) for task in view.deploy if task.step.startswith("bootstrap_") for one in task.manifests}
    deleted = [task for task in view.deploy if task.step == last and task.action == "delete"]
    gone = {_key(one) for task in deleted for one in task.manifests}
    kept = {key for key in made - gone if key[0] != "Secret"}
    return [f"{kind} {name} is left over" for kind, name in sorted(kept)]


def check_scaling_restarts_nobody(view: View) -> list[str]:
    """Another NODE_COUNT changes neither the pod template nor anything in its dependency hash."""
    before, after = view.statefulset, view.find("StatefulSet", f"{INSTANCE}-galera", view.scaled)
    differences = []
    if before["spec"]["template"] != after["spec"]["template"]:
        differences.append("the pod template depends on NODE_COUNT")
    config = view.find("ConfigMap", f"{INSTANCE}-nodeconfig", view.scaled)
    if "kudo.dev/skip-hash-calculation" not in (config["metadata"].get("annotations") or {}):
        differences.append("the address list is part of the dependency hash")
    if "galera.harness.dev/settings" not in (before["spec"]["template"]["metadata"].get("annotations") or {}):
        differences.append("a changed setting restarts nobody")
    return differences


CHECKS: Mapping[str, Callable[[View], list[str]]] = {
    check.__name__.removeprefix("check_"): check
    for check in (
        check_option_groups,
        check_group_name,
        check_addresses,
        check_node_identity,
        check_ports,
        check_secrets,
        check_sst_account,
        check_readiness,
        check_joiners_live,
        check_zombies_die,
        check_stop,
        check_programs,
        check_images,
        check_disruption_budget,
        check_names_before_ready,
        check_only_creation_bootstraps,
        check_bootstrap_looks_first,
        check_bootstrap_goes,
        check_scaling_restarts_nobody,
    )
}


def _bootstrap_files(view: View) -> dict[str, str]:
    data = view.find("ConfigMap", f"{INSTANCE}-bootstrap")["data"]
    return {name: text for name, text in data.items() if name.endswith(".cnf")}


def _bootstrap_scripts(view: View) -> list[str]:
    data = view.find("ConfigMap", f"{INSTANCE}-bootstrap")["data"]
    return [text for name, text in data.items() if name.endswith(".sh")]


def _all_options(files: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for file, text in files.items()
        if file.endswith(".cnf")
        for group in options_of(text).values()
        for name, value in group.items()
    }


def _group_name(view: View, tasks: Sequence[Rendered]) -> str | None:
    return _all_options(view.find("ConfigMap", f"{INSTANCE}-nodeconfig", tasks)["data"]).get("wsrep_cluster_name")


def _probe_text(view: View, probe: str) -> str:
    """Return a probe's command with the scripts that it runs."""
    command = " ".join(((view.node.get(probe) or {}).get("exec") or {}).get("command") or [])
    return command + "".join(text for name, text in view.scripts.items() if name in command)


def _key(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]
