"""An OCI runtime in front of runc, for hosts whose root lacks CAP_SYS_RESOURCE.

Such a host cannot start a privileged container: runc may not grant what it does not have, may not lower an oom score
and may not raise a limit above the host's own. This program takes those three wishes out of the container's
specification and then becomes runc. It is run by the engine as a file of its own: only the standard library here.
"""

import json
import os
import resource
import sys
from pathlib import Path

MISSING = "CAP_SYS_RESOURCE"
SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")
WITH_VALUE = {"--root", "--log", "--log-format", "--criu", "--rootless"}
RUNC = "/usr/sbin/runc"


def main(argv):
    """Mend the specification that the arguments name, then become runc."""
    for path, edit in targets(argv[1:]):
        rewrite(path, edit)
    os.execv(RUNC, [RUNC, *argv[1:]])


def targets(arguments):
    """Return (file, edit) pairs: the bundle's config.json for create and run, the process file for exec."""
    command, rest = split(arguments)
    if command in ("create", "run"):
        bundle = value(rest, "--bundle", "-b") or "."
        return [(Path(bundle) / "config.json", mend_config)]
    if command == "exec":
        process = value(rest, "--process", "-p")
        return [(Path(process), mend_process)] if process else []
    return []


def split(arguments):
    """Return runc's command and the arguments after it; runc's own options come first."""
    skip = False
    for index, word in enumerate(arguments):
        if skip:
            skip = False
        elif word in WITH_VALUE:
            skip = True
        elif not word.startswith("-"):
            return word, arguments[index + 1 :]
    return "", []


def value(arguments, *names):
    """Return the value of an option, written as two words or with an equals sign; None when absent."""
    for index, word in enumerate(arguments):
        name, separator, text = word.partition("=")
        if name in names:
            return text if separator else (arguments[index + 1] if index + 1 < len(arguments) else None)
    return None


def rewrite(path, edit):
    """Apply an edit to a JSON file in place; a reader sees the old text or the new one."""
    document = json.loads(path.read_text())
    edit(document)
    new = path.with_name(path.name + ".mended")
    new.write_text(json.dumps(document))
    new.replace(path)


def mend_config(config, hard_limit=None):
    """Mend a whole container specification."""
    mend_process(config.get("process") or {}, hard_limit)


def mend_process(process, hard_limit=None):
    """Take out of a process specification what this host's root may not grant."""
    for name in SETS:
        held = (process.get("capabilities") or {}).get(name)
        if held and MISSING in held:
            held.remove(MISSING)
    process.pop("oomScoreAdj", None)
    limits = process.get("rlimits")
    if limits:
        process["rlimits"] = [limit for limit in limits if allowed(limit, hard_limit or host_hard_limit)]


def allowed(limit, hard_limit):
    """Tell whether this host's root may set a limit: it lies at or below the host's hard limit."""
    hard = hard_limit(limit["type"])
    return hard == resource.RLIM_INFINITY or limit["hard"] <= hard


def host_hard_limit(name):
    """Return the hard limit of this process for a name such as RLIMIT_NOFILE; no limit for unknown names."""
    number = getattr(resource, name, None)
    return resource.RLIM_INFINITY if number is None else resource.getrlimit(number)[1]


if __name__ == "__main__":
    main(sys.argv)
