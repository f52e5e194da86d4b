"""The rules of `package verify` about parameters and their groups.

Pure; harness.kudo.verify runs them in its order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from harness.kit.errors import did_you_mean
from harness.kudo.errors import KudoError
from harness.kudo.finding import Finding
from harness.kudo.model import check_type
from harness.kudo.package import Group, Package, PackageParameter

__all__ = ["PARAMETER_CHECKS", "check_definitions", "check_groups", "check_names", "check_prose"]

PARAMETER_CHECKS = ("display", "hint", "desc", "type", "hasgroup", "groups", "all")


def check_names(package: Package) -> Iterator[Finding]:
    """Yield names that stand twice, in any case, and names with signs that command lines use."""
    seen: set[str] = set()
    for each in package.parameters:
        if each.name.lower() in seen:
            yield _error(package, each, "has a duplicate")
        seen.add(each.name.lower())
    for each in package.parameters:
        for sign in ";,":
            if sign in each.name:
                yield _error(package, each, f"contains invalid character '{sign}'", key="name")


def check_definitions(package: Package) -> Iterator[Finding]:
    """Yield parameters whose own definition contradicts itself."""
    for each in package.parameters:
        if each.immutable and not each.required and each.default is None:
            text = "is immutable but is not marked as required or has a default value"
            yield _error(package, each, text, key="immutable")
    for each in package.parameters:
        yield from _check_values(package, each)
    for each in package.parameters:
        if "/" in each.group:
            yield _error(package, each, "has a group with invalid character '/'", key="group")
        if each.advanced and each.required and each.default is None:
            text = (
                "is marked as advanced, but also as required and has no default. "
                "An advanced parameter must either be optional or have a default value"
            )
            yield _error(package, each, text, key="advanced")


def _check_values(package: Package, parameter: PackageParameter) -> Iterator[Finding]:
    allowed = parameter.enum
    if allowed is not None and not allowed:
        yield _error(package, parameter, "is an enum but has no allowed values", key="enum")
    for item in allowed or ():
        if problem := check_type(parameter.value_type, item):
            yield _error(package, parameter, f"has an invalid enum value: {problem}", key="enum")
    if parameter.default is None:
        return
    problem = check_type(parameter.value_type, parameter.default)
    texts = [parameter.as_text(item) or "" for item in allowed or ()]
    if not problem and allowed and parameter.default_text not in texts:
        problem = f'value is "{parameter.default_text}", but only allowed values are [{" ".join(texts)}]'
    if problem:
        yield _error(package, parameter, f"has an invalid default value: {problem}", key="default")


def check_groups(package: Package) -> Iterator[Finding]:
    """Yield groups with bad names, twice the same, and groups that parameters use but nobody defines."""
    names = [group.name for group in package.groups]
    for name in names:
        if "/" in name:
            yield _group_error(package, name, "contains invalid character '/'")
    for name, count in Counter(names).items():
        if count > 1:
            yield _group_error(package, name, "is duplicated")
    for each in package.parameters:
        if each.group and each.group not in names:
            text = f'has a group "{each.group}" that is not defined in the group section'
            yield _error(package, each, text, key="group", hint=did_you_mean(each.group, names))


def check_prose(package: Package, checks: Sequence[str]) -> Iterator[Finding]:
    """Yield the warnings of --param-checks, in the order of PARAMETER_CHECKS.

    Raises:
        KudoError: an unknown check.
    """
    for check in checks:
        if check not in PARAMETER_CHECKS:
            known = f"must be one of [{' '.join(PARAMETER_CHECKS)}]"
            raise KudoError(f"unknown parameter check: {check}, {known}", usage=True)
    wanted = PARAMETER_CHECKS if "all" in checks else checks
    for check, rule in _PROSE.items():
        if check not in wanted:
            continue
        for each in package.parameters:
            if problem := rule(each):
                yield _warning(package, f'parameter "{each.name}" {problem}', "parameter", each.name)
    for group in package.groups if "groups" in wanted else ():
        for problem in filter(None, (_display_problem(group), _description_problem(group))):
            yield _warning(package, f'parameter group "{group.name}" {problem}', "group", group.name)


def _display_problem(each: PackageParameter | Group) -> str:
    if not each.display_name:
        return "has no displayName"
    if each.display_name.endswith(":"):
        return "has a displayName ending with ':'"
    return "" if each.display_name[0].isupper() else "has a displayName that does not start with a capital letter"


def _description_problem(each: PackageParameter | Group) -> str:
    if not each.description:
        return "has no description"
    if each.description[-1] not in ".!?)":
        return "has a description not ending with one of '.!?)'"
    return "" if each.description[0].isupper() else "has a description that does not start with a capital letter"


def _hint_problem(each: PackageParameter) -> str:
    if not each.hint:
        return "has no hint"
    return "" if each.hint.endswith(".") else "has a hint not ending with a '.'"


def _type_problem(each: PackageParameter) -> str:
    return "" if each.value_type else "has no explicit type assigned"


def _group_problem(each: PackageParameter) -> str:
    return "" if each.group else "has no group"


_PROSE: dict[str, Callable[[PackageParameter], str]] = {
    "display": _display_problem,
    "hint": _hint_problem,
    "desc": _description_problem,
    "type": _type_problem,
    "hasgroup": _group_problem,
}


def _error(package: Package, each: PackageParameter, text: str, *, key: str = "name", hint: str = "") -> Finding:
    where = package.place("parameter", each.name, key)
    return Finding(text=f'parameter "{each.name}" {text}', where=where, hint=hint)


def _group_error(package: Package, name: str, text: str) -> Finding:
    return Finding(text=f'parameter group "{name}" {text}', where=package.place("group", name))


def _warning(package: Package, text: str, *place: str) -> Finding:
    return Finding(text=text, where=package.place(*place), warning=True)
