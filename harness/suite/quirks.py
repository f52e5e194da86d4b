"""The register of kuttl's quirks: what kuttl does, and what is done about it here, by number.

Pure data. Messages name a quirk as [Q33]; the reference in the documentation is written from this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["QUIRKS", "Quirk", "Verdict", "quirk"]

Verdict = Literal["COPY", "WARN", "STRICT", "REPLACE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """One behaviour of kuttl that looks like a defect.

    Attributes:
        number: its name in messages.
        behaviour: what kuttl does.
        verdict: COPY, the same always; WARN, the same, with a warning in default mode; STRICT, better by default and
            the same in strict mode; REPLACE, better in both modes.
        action: what is done here.
    """

    number: int
    behaviour: str
    verdict: Verdict
    action: str

    def __str__(self) -> str:
        return f"Q{self.number}"


# fmt: off
_TABLE: tuple[tuple[str, Verdict, str], ...] = (
    ("only the first of several JSON values in one document", "WARN", "same; name the file and the ignored rest"),  # Q1
    ("duplicate YAML key: last wins", "WARN", "same; lint reports it as an error"),  # Q2
    ("unknown fields ignored", "WARN", "same; name object, field, and the field probably meant"),  # Q3
    ("kind: List fails", "REPLACE", "expand the items (a suite using it cannot pass under kuttl)"),  # Q4
    ("several TestSuite documents: last wins", "WARN", "same"),  # Q5
    ("TestSuite of another group ignored, run goes on unconfigured", "WARN", "same; lint: error"),  # Q6
    ("negative parallel: usage dump", "REPLACE", "configuration error in one line"),  # Q7
    (  # Q8
        "skipDelete does not imply skipClusterDelete", "WARN",
        "delete the cluster as kuttl does; warn when startKIND and skipDelete meet",
    ),
    ("controlPlaneArgs, --control-plane-config dead", "WARN", "same"),  # Q9
    ("kindConfig field alone does not start kind", "WARN", "same"),  # Q10
    (  # Q11
        "reportFormat: XML in the file writes JSON", "STRICT",
        "default: any case accepted, XML writes XML and warns that kuttl would not; unknown value: JSON plus warning",
    ),
    ("bad reportGranularity in the file means step", "WARN", "same"),  # Q12
    ("suppress: [Events] ineffective without the flag", "REPLACE", "ignore case always"),  # Q13
    ("malformed ignore pattern crashes", "REPLACE", "configuration error naming the pattern"),  # Q14
    ("config in YAML crashes", "REPLACE", "configuration error"),  # Q15
    (  # Q16
        "--test 'a|b' selects only a", "STRICT",
        "default: one unanchored expression; offer an exact-name option beside it",
    ),
    ("--test without a match passes", "WARN", "exit 0 in both modes; an option turns it into a failure"),  # Q17
    ("--as before test aborts", "REPLACE", "accept it anywhere"),  # Q18
    ("assert --timeout 0 succeeds unchecked", "STRICT", "default: check once"),  # Q19
    (  # Q20
        "TestAssert outside assert files, in TestStep.assert files, in kuttl assert files: looked up in the cluster",
        "REPLACE",
        ("honour it in errors files and in listed assert files; load error in apply files and for assert; never a slow "
        "failure"),
    ),
    (  # Q21
        "exit codes 255 and 2", "STRICT",
        "default: 2 for usage and configuration, 1 for failures, 130 and 143 for signals",
    ),
    (  # Q22
        "SIGINT half cleanup, SIGTERM none", "REPLACE",
        "both: stop commands, clean namespaces and objects within a limit, write the report with the interrupted tests",
    ),
    ("empty and hidden directories are passing tests", "WARN", 'same; "no steps" in the report'),  # Q23
    ("linked test directories not found", "WARN", "same; name them"),  # Q24
    ("downloads: status unchecked, no .tar.gz", "REPLACE", "check the status; accept .tar.gz"),  # Q25
    (  # Q26
        "CRDs of crdDir not waited for", "REPLACE",
        "wait until served, at most 10 s as documented, longer by option",
    ),
    (  # Q27
        "suite commands always see NAMESPACE=default", "COPY",
        "same; offer the configured namespace in a further variable",
    ),
    (  # Q28
        "suite commands unlimited by default", "COPY",
        "same; a global option may limit them; log every 30 s that one still runs",
    ),
    ("background script: only the shell is killed", "REPLACE", "own process group; TERM, short grace, KILL"),  # Q29
    (  # Q30
        "credentials in ./kubeconfig", "STRICT",
        ("default: private file (0600) outside the tree, removed at the end, path in KUBECONFIG; an option also writes "
        "./kubeconfig"),
    ),
    (  # Q31
        "generated kubeconfig loses proxy URL and TLS server name", "REPLACE",
        "carry them over (still without a namespace)",
    ),
    ("refuses an existing kind cluster", "COPY", "same; a separate option reuses it"),  # Q32
    ("00-error.yaml, 00-foo-assert.yaml are applied", "WARN", "same; suggest the right name"),  # Q33
    (  # Q34
        "near-miss file names ignored", "WARN",
        "same; suggest the right name; plain unnumbered YAML that some TestStep lists is not warned about",
    ),
    (  # Q35
        "foreign entry in a step directory fails the test", "REPLACE",
        "skip entries matching ignoreFiles; for others a load error with a clear text",
    ),
    ("step directory's name unused", "COPY", "same in reports and logs; show the directory in diagnostics"),  # Q36
    ("TestFile without selector hides its file", "WARN", "same"),  # Q37
    (  # Q38
        "negative timeout: step passes unchecked", "WARN",
        "same outcome; evaluate once and say what the result would have been; lint: error",
    ),
    ("whole numbers in templates become floats", "STRICT", "default: whole numbers print as such"),  # Q39
    ("missing template variable prints <no value>", "WARN", "same; an option makes it an error"),  # Q40
    (  # Q41
        "templates not expanded in listed files, manifests, assert", "STRICT",
        ("default: files named .gotmpl.yaml are expanded there too, except the suite file (braces outside quotes could "
        "not have been read as YAML, so few suites can notice)"),
    ),
    ("deletes a namespace it could not create", "REPLACE", "delete only what was created"),  # Q42
    (  # Q43
        "slow namespace deletion fails a passed test, unreported", "REPLACE",
        ("still a failed run, but as an error of teardown: list what is left, its finalizers and owners; own timeout "
        "for cleanup; record it in the report"),
    ),
    (  # Q44
        "shared namespace deleted by the first user", "STRICT",
        "default: created before the first test, deleted after the last",
    ),
    ("TestStep in assert or errors files", "REPLACE", "load error naming the right place"),  # Q45
    ("index, unitTest dead", "WARN", "same"),  # Q46
    ("listed files applied and asserted repeatedly", "STRICT", "default: once"),  # Q47
    ("generateName fails", "REPLACE", "clear load error, or creation as an extension"),  # Q48
    ("conflict retries without pause", "REPLACE", "short growing pauses within the same limit"),  # Q49
    (  # Q50
        "created objects not waited for", "STRICT",
        "default: wait within the cleanup timeout; cluster-scoped leftovers are named",
    ),
    ("one random mismatch", "REPLACE", "all mismatches, sorted; the first one in kuttl's wording"),  # Q51
    ("no list positions in paths", "STRICT", "default: .spec.containers[0].image"),  # Q52
    (  # Q53
        "namespace on a cluster-scoped object", "WARN",
        "assert, default: leave the namespace out; errors: same as kuttl; both warn",
    ),
    ("lower-case kind works for GET only", "COPY", "same; lint reports it"),  # Q54
    ("errors entry of an unknown kind fails", "COPY", "same, with the hint that the CRD is not installed"),  # Q55
    ("ignoreFailure hides timeouts", "WARN", "same"),  # Q56
    (  # Q57
        "background in a step: leaks a process, misleading log", "REPLACE",
        ("run in the background with a true log line, end its process group with the test; warn that it is meant for "
        "suites"),
    ),
    ("unset variables and ${X:-y} become nothing", "WARN", "same; name the variable"),  # Q58
    ("# begins a comment in command", "WARN", "same when a comment is dropped"),  # Q59
    (  # Q60
        "empty command crashes, or runs --namespace", "REPLACE",
        "error of that step: the command is empty after expansion",
    ),
    ("<cwd>/bin not searched for the command itself", "STRICT", "default: runner's PATH first, then <cwd>/bin"),  # Q61
    (  # Q62
        "timeout kills one process, then waits for its children", "REPLACE",
        "kill the process group; stop reading after a grace of 2 s",
    ),
    ("apply runs after failed commands", "STRICT", "default: stop (the step fails either way)"),  # Q63
    (  # Q64
        "no collectors without TestAssert or before the loop", "STRICT",
        "default: configured collectors run on any failure of the step; built-in diagnostics always",
    ),
    ("several TestAssert: last wins", "WARN", "same; say which one counts"),  # Q65
    (  # Q66
        "no limit for commands in the last second", "STRICT",
        ("default: the remaining time, and in the last second the assert timeout instead of none, so that a round "
        "begun in time can finish"),
    ),
    ("duplicate ref", "WARN", "same"),  # Q67
    ("events collector takes pod as event name", "STRICT", "default: events about that object"),  # Q68
    ("context not seen by commands", "WARN", "same; offer the context's name in a variable"),  # Q69
    ("context without kubeconfig ignored", "WARN", "same"),  # Q70
    ("namespace made once per path", "REPLACE", "once per path and context"),  # Q71
    (  # Q72
        "load and cleanup failures missing from reports", "REPLACE",
        "present: case load, case cleanup, interrupted tests",
    ),
    ("only the last error in the report", "STRICT", "default: all errors, diff included, last error first"),  # Q73
    (  # Q74
        "times 0.000, end timestamps, text order of steps", "STRICT",
        "default: true start and duration, steps in order",
    ),
    (  # Q75
        "same cluster cleaned once per path", "REPLACE",
        "recognise the cluster by the UID of its kube-system namespace",
    ),
    ("managedFields in diffs", "STRICT", "default: left out unless asserted"),  # Q76
    ("--namespace appended behind a bare --", "STRICT", "default: put before the bare --, with a warning"),  # Q77
    ("namespaced with -h or --help fails", "REPLACE", "treat them as ordinary arguments"),  # Q78
)
# fmt: on

QUIRKS: tuple[Quirk, ...] = tuple(
    Quirk(number=number, behaviour=behaviour, verdict=verdict, action=action)
    for number, (behaviour, verdict, action) in enumerate(_TABLE, 1)
)


def quirk(number: int) -> Quirk:
    """Return a quirk by its number, from 1.

    Raises:
        IndexError: there is no such quirk.
    """
    if number < 1:
        raise IndexError(number)
    return QUIRKS[number - 1]
