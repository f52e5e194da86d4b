"""A package with the operators that its KudoOperator tasks name: found, rewritten, in the order of installation.

Imported by the operations. Dependencies are folders or archives relative to the package that names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.kit.documents import Manifest
from harness.kudo.errors import KudoError
from harness.kudo.model import Task
from harness.kudo.package import Objects, Package, package_objects
from harness.kudo.packages import Source

__all__ = ["Resolved", "resolve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A package, ready to be installed.

    Attributes:
        package: as it was read.
        objects: its API objects, with KudoOperator tasks that name what was found.
        dependencies: the objects of the operators it needs, the ones that others need first.
    """

    package: Package
    objects: Objects
    dependencies: tuple[Objects, ...] = ()


@dataclass(slots=True)
class _Resolution:
    namespace: str
    found: dict[str, Objects] = field(default_factory=dict)  # by version name, in the order of installation

    def objects_of(self, source: Source, package: Package, path: tuple[str, ...], **given: object) -> Objects:
        """Return a package's objects with its tasks rewritten, having noted what they depend on."""
        instance, parameters = given.get("instance", ""), given.get("parameters")
        objects = package_objects(
            package,
            namespace=self.namespace,
            instance=str(instance),
            parameters=parameters if isinstance(parameters, Mapping) else None,
        )
        for task, manifest in zip(package.tasks, objects.operator_version["spec"]["tasks"], strict=True):
            if task.kind == "KudoOperator":
                self._rewrite(source, package, task, manifest, path)
        return objects

    def _rewrite(self, source: Source, parent: Package, task: Task, manifest: Manifest, path: tuple[str, ...]) -> None:
        child_source = self._source(source, parent, task)
        child = child_source.load()
        if child.version_name in path:
            edge = f"{parent.version_name} -> {child.version_name}"
            message = f"cyclic package dependency found when adding package {edge}"
            raise KudoError(message, usage=True, where=parent.place("task", task.name))
        if child.version_name not in self.found:
            objects = self.objects_of(child_source, child, (*path, child.version_name))
            self.found[child.version_name] = objects
        manifest["spec"] |= {"package": child.name, "operatorVersion": child.operator_version}
        if child.app_version:
            manifest["spec"]["appVersion"] = child.app_version

    def _source(self, source: Source, parent: Package, task: Task) -> Source:
        name = task.text("package")
        found = source.child(name) if name.startswith(("./", "../", "/")) else None
        if found is not None:
            return found
        versions = (task.text(key) or "any" for key in ("operatorVersion", "appVersion"))
        wanted = 'Operator: "{}", OperatorVersion: "{}", AppVersion "{}"'.format(name, *versions)
        reason = "no such folder or archive" if "/" in name else "repositories are not supported, name a path"
        raise KudoError(
            f"failed to resolve package {wanted}, dependency of package {parent.version_name}: {reason}",
            usage=True,
            where=parent.place("task", task.name, name),
        )


def resolve(
    source: Source, *, namespace: str, instance: str = "", parameters: Mapping[str, str] | None = None
) -> Resolved:
    """Read a package and all that it depends on.

    Args:
        source: where the package is.
        namespace: put into all objects.
        instance: the Instance's name, empty for the default.
        parameters: the Instance's values.

    Raises:
        KudoError: a package is not found, or packages depend on each other in a circle.
    """
    package = source.load()
    resolution = _Resolution(namespace)
    objects = resolution.objects_of(source, package, (package.version_name,), instance=instance, parameters=parameters)
    return Resolved(package=package, objects=objects, dependencies=tuple(resolution.found.values()))
