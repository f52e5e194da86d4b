"""install, update, upgrade, uninstall and plan trigger against a cluster, in the original's order and words.

Imported by the command line and by fixtures. Writes to an Instance go through admission here, so that a refusal comes
with its reason though no webhook runs.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.kit.documents import Manifest
from harness.kit.errors import CheckError, DeadlineError, HarnessError, did_you_mean
from harness.kit.waiting import Pending
from harness.kube import ApiError, Conflict, NotFound
from harness.kudo.admission import DENIED_PREFIX, Denied, admit_create, admit_update, mark_admitted
from harness.kudo.api import Api, get_instance, get_version, unfinished, wait_for_plan
from harness.kudo.dependencies import Resolved, resolve
from harness.kudo.errors import KudoError
from harness.kudo.finding import parse_version
from harness.kudo.model import API_VERSION, OperatorVersion, parse_operator_version
from harness.kudo.packages import Source
from harness.kudo.plan import last_executed
from harness.kudo.preview import unknown_parameters
from harness.kudo.rendering import Variables, documents, render

__all__ = ["Options", "check_changes", "install", "trigger", "uninstall", "update", "upgrade"]

Say = Callable[[str], None]

_ATTEMPTS = 20  # of a write that meets a newer object: the engine writes too


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may say about an installation.

    Attributes:
        instance: the Instance's name, empty for `<operator>-instance`.
        parameters: its values.
        skip_instance: whether to stop before the Instance.
        create_namespace: whether to create the namespace first.
        wait: seconds to wait for the plan to end, None for not at all.
    """

    instance: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    skip_instance: bool = False
    create_namespace: bool = False
    wait: float | None = None


def install(kube: Api, source: Source, *, namespace: str, options: Options, say: Say, warn: Say) -> Manifest | None:
    """Install a package and an instance of it.

    Args:
        kube: the cluster.
        source: the package.
        namespace: where to.
        options: see Options.
        say: receives the lines of the output.
        warn: receives what deserves attention and stops nothing.

    Returns:
        The Instance as the cluster has it, None when it was skipped.

    Raises:
        HarnessError: what the original refuses too; nothing is rolled back.
    """
    resolved = resolve(source, namespace=namespace, instance=options.instance, parameters=options.parameters)
    version = resolved.objects.parsed()
    if not options.skip_instance:
        _check_required(version, options.parameters)
        for line in unknown_parameters(version, options.parameters):
            warn(line)
    _check_server(resolved.package.kubernetes_version, kube.server_version())
    if options.create_namespace:
        kube.create(_namespace(resolved, version, namespace, options))
    _install_operator(kube, resolved, namespace, say, warn)
    if options.skip_instance:
        return None
    created = _create_instance(kube, resolved.objects.instance, version, namespace, say)
    if options.wait is not None:
        _wait_installed(kube, created, options.wait, say)
    return created


def _check_required(version: OperatorVersion, given: Mapping[str, str]) -> None:
    missing = [
        name
        for name, each in version.parameters.items()
        if each.required and each.default is None and name not in given
    ]
    if missing:
        run = f"the same with {' '.join(f'-p {name}=VALUE' for name in missing)}"
        raise KudoError(f"missing required parameters during installation: {','.join(missing)}", usage=True, run=run)


def _check_server(wanted: str, server: str) -> None:
    needed, served = parse_version(wanted), parse_version(server)
    if needed is None:
        message = "unable to parse operators kubernetes version: Invalid Semantic Version"
        raise KudoError(message, usage=True, seen=f'"{wanted}"')
    if served is not None and needed[0][:2] > served[0][:2]:
        raise KudoError(f"expected kubernetes version of {wanted} is not supported with version: {server}")


def _namespace(resolved: Resolved, version: OperatorVersion, namespace: str, options: Options) -> Manifest:
    """Return the Namespace to create: the package's own manifest, or a bare one."""
    body: Manifest = {}
    if name := resolved.package.namespace_manifest:
        variables = Variables(
            operator_name=version.operator_name,
            name=resolved.objects.instance["metadata"]["name"],
            namespace=namespace,
            app_version=version.app_version,
            operator_version=version.version,
            params=options.parameters,
        )
        body = next(iter(documents(render(version, name, variables), name)), {})
    metadata = dict(body.get("metadata") or {})
    annotations = {**(metadata.get("annotations") or {}), "created-by": "kudo-cli"}
    metadata |= {"name": namespace, "annotations": annotations}
    return {**body, "apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _install_operator(kube: Api, resolved: Resolved, namespace: str, say: Say, warn: Say) -> None:
    """Create Operator and OperatorVersion where they are missing, dependencies before the version."""
    _create_operator(kube, resolved.objects.operator, namespace, say)
    if _is_installed(kube, resolved.objects.operator_version, namespace, say, warn):
        return
    for needed in resolved.dependencies:
        _create_operator(kube, needed.operator, namespace, say)
        if not _is_installed(kube, needed.operator_version, namespace, say, warn):
            _create_version(kube, needed.operator_version, namespace, say)
    _create_version(kube, resolved.objects.operator_version, namespace, say)


def _create_operator(kube: Api, operator: Manifest, namespace: str, say: Say) -> None:
    name = operator["metadata"]["name"]
    if kube.find(API_VERSION, "Operator", name, namespace) is not None:
        return
    try:
        kube.create(operator)
    except NotFound as error:  # the first object of an installation finds out that its namespace is missing
        raise KudoError(error.message, run="the same with --create-namespace") from error
    say(f"operator {namespace}/{name} created")


def _create_version(kube: Api, version: Manifest, namespace: str, say: Say) -> None:
    kube.create(version)
    say(f"operatorversion {namespace}/{version['metadata']['name']} created")


def _is_installed(kube: Api, version: Manifest, namespace: str, say: Say, warn: Say) -> bool:
    """Tell whether the operator has that version; as in the original, only operatorVersion is compared."""
    wanted = parse_operator_version(version)
    for found in map(parse_operator_version, kube.list(API_VERSION, "OperatorVersion", namespace)):
        if (found.operator_name, found.version) != (wanted.operator_name, wanted.version):
            continue
        say(f"operatorversion {namespace}/{wanted.name} already installed")
        if found != wanted:
            warn(
                f"operatorversion {namespace}/{found.name} differs from the package and stays as it is; "
                "raise operatorVersion in operator.yaml to install the change"
            )
        return True
    return False


def _create_instance(kube: Api, instance: Manifest, version: OperatorVersion, namespace: str, say: Say) -> Manifest:
    name = instance["metadata"]["name"]
    if kube.find(API_VERSION, "Instance", name, namespace) is not None:
        message = f"cannot install instance '{name}' because an instance of that name already exists in namespace"
        raise KudoError(f"{message} {namespace}", run=f"kubectl kudo update --instance {name} -p NAME=VALUE")
    try:
        created = kube.create(mark_admitted(admit_create(instance, version)))
    except HarnessError as error:
        raise _failed(f"failed to install instance {namespace}/{name}: installing Instance:", error) from error
    say(f"instance {namespace}/{name} created")
    return created


def _failed(prefix: str, error: HarnessError) -> KudoError:
    return KudoError(f"{prefix} {_cause(error)}".strip(), where=error.where, exists=error.exists, run=error.run)


def _cause(error: HarnessError) -> str:
    if isinstance(error, Denied):
        return f"{DENIED_PREFIX}{error.message}"
    return error.message if isinstance(error, ApiError) and error.message else error.wanted


def _wait_installed(kube: Api, instance: Manifest, timeout: float, say: Say) -> None:
    metadata = instance["metadata"]
    path = f"{metadata['namespace']}/{metadata['name']}"
    try:
        wait_for_plan(kube, instance, timeout=timeout)
    except DeadlineError as error:
        say(f"timeout waiting for instance {path}")
        message = f"failed to wait on instance {path}: timed out waiting for the condition"
        raise KudoError(message, seen=error.seen) from error
    except KudoError as error:
        raise _failed(f"failed to wait on instance {path}:", error) from error
    say(f"instance {path} ready")


def check_changes(parameters: Mapping[str, str]) -> None:
    """Refuse an update without parameters.

    Raises:
        KudoError: there are none.
    """
    if not parameters:
        text = "need to specify at least one parameter to override via -p otherwise there is nothing to update"
        raise KudoError(text, usage=True)


def update(
    kube: Api, *, namespace: str, instance: str, parameters: Mapping[str, str], wait: float | None, say: Say
) -> Manifest:
    """Change parameters of an instance and return it.

    Args:
        kube: the cluster.
        namespace: where the instance is.
        instance: its name.
        parameters: values to add or change; others stay.
        wait: seconds to wait for the plan that this triggers, None for not at all.
        say: receives the lines of the output.

    Raises:
        KudoError: no parameters, no such instance, or the change is refused.
    """
    check_changes(parameters)
    message = f"instance {instance} in namespace {namespace} does not exist in the cluster"
    get_instance(kube, namespace, instance, message=message)

    def change(manifest: Manifest) -> None:
        manifest["spec"]["parameters"] = {**_parameters(manifest), **parameters}

    written = _write(kube, namespace, instance, change, prefix=f"updating instance {instance}")
    if wait is not None:
        wait_for_plan(kube, written, timeout=wait)
    say(f"Instance {instance} was updated.")
    return written


def upgrade(
    kube: Api, source: Source, *, namespace: str, instance: str, parameters: Mapping[str, str], say: Say, warn: Say
) -> Manifest:
    """Move an instance to the version of a package and return it.

    Raises:
        KudoError: no such instance, a version that is not newer, or the change is refused.
    """
    resolved = resolve(source, namespace=namespace, instance=instance, parameters=parameters)
    old = get_version(kube, namespace, get_instance(kube, namespace, instance))
    new_version, old_version = parse_version(resolved.package.operator_version), parse_version(old.version)
    if new_version is None or old_version is None:
        raise KudoError(f"unable to compare the versions {resolved.package.operator_version} and {old.version}")
    if new_version <= old_version:
        versions = f"upgraded version {resolved.package.operator_version} is the same or smaller as current version"
        raise KudoError(f"{versions} {old.version} -> not upgrading")
    _install_operator(kube, resolved, namespace, say, warn)

    def change(manifest: Manifest) -> None:
        manifest["spec"]["operatorVersion"] = {
            **(manifest["spec"].get("operatorVersion") or {}),
            "name": resolved.package.version_name,
        }
        if parameters:
            manifest["spec"]["parameters"] = {**_parameters(manifest), **parameters}

    written = _write(kube, namespace, instance, change, prefix=f"failed to upgrade instance {namespace}/{instance}:")
    say(f"instance {namespace}/{instance} updated")
    return written


def trigger(kube: Api, *, namespace: str, instance: str, plan: str, wait: float | None, say: Say) -> Manifest:
    """Run a plan of an instance by hand and return the instance.

    Raises:
        KudoError: no such instance, or the plan may not run now.
    """
    plans = get_version(kube, namespace, get_instance(kube, namespace, instance)).plans
    if plan not in plans:
        hint = did_you_mean(plan, plans)
        raise KudoError(f"{DENIED_PREFIX}plan {plan} does not exist", seen=hint, exists=sorted(plans))

    def change(manifest: Manifest) -> None:
        manifest["spec"]["planExecution"] = {"planName": plan, "uid": str(uuid.uuid4())}

    written = _write(kube, namespace, instance, change, prefix="")
    if wait is not None:
        wait_for_plan(kube, written, timeout=wait)
    say(f"Triggered {plan} plan for {namespace}/{instance} instance")
    return written


def _write(kube: Api, namespace: str, name: str, change: Callable[[Manifest], None], *, prefix: str) -> Manifest:
    """Change an Instance through admission, again when somebody else was faster."""
    for _attempt in range(_ATTEMPTS):
        old = get_instance(kube, namespace, name)
        new = copy.deepcopy(old)
        new.setdefault("spec", {})
        change(new)
        versions = get_version(kube, namespace, old), get_version(kube, namespace, new)
        try:
            return kube.replace(mark_admitted(admit_update(old, new, *versions)))
        except Conflict:
            continue
        except Denied as error:
            raise _refused(prefix, error, name, unknown_parameters(versions[1], _parameters(new))) from error
        except ApiError as error:
            raise _failed(prefix, error) from error
    raise CheckError(f"a moment in which nobody else writes instance {namespace}/{name}", seen=f"{_ATTEMPTS} conflicts")


def _refused(prefix: str, error: Denied, instance: str, unknown: Sequence[str]) -> KudoError:
    """Return a refusal with what was probably meant, or how to wait until the change may be made."""
    running = "is scheduled (or running)" in error.message
    wait = f"kubectl kudo plan status --instance {instance} --wait" if running else ""
    return KudoError(f"{prefix} {_cause(error)}".strip(), seen="\n".join(unknown), run=wait)


def _parameters(instance: Manifest) -> Mapping[str, str]:
    found: Mapping[str, str] = instance["spec"].get("parameters") or {}
    return found


def uninstall(kube: Api, *, namespace: str, instance: str, wait: float | None, say: Say) -> None:
    """Delete an instance; Operator and OperatorVersion stay.

    Raises:
        KudoError: no such instance; DeadlineError: it is still there when the time is over.
    """
    message = f"instance {instance} in namespace {namespace} does not exist in the cluster"
    uid = get_instance(kube, namespace, instance, message=message)["metadata"].get("uid")
    kube.delete(API_VERSION, "Instance", instance, namespace, propagation="Background")

    def gone(found: Manifest | None) -> bool | Pending:
        if found is None or found["metadata"].get("uid") != uid:
            return True
        plan = last_executed((found.get("status") or {}).get("planStatus") or {}) or {}
        held = ", ".join(found["metadata"].get("finalizers") or ()) or "nothing"
        return Pending(f"held by {held}; plan {plan.get('name')} is {plan.get('status')}: {unfinished(plan)}")

    if wait is not None:
        wanted = f"instance {namespace}/{instance} gone"
        kube.until(API_VERSION, "Instance", instance, namespace, gone, timeout=wait, wanted=wanted)
    say(f"instance.{API_VERSION}/{instance} deleted\n")
