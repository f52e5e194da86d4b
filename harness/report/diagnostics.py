"""The report of a failed test: top line first, then what the namespace says, with files for the rest.

`diagnose` is what the fixtures and the plugin call; it never raises into the test.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.kit.documents import dump_yaml
from harness.report.artifacts import Artifacts, safe_name
from harness.report.collect import KubeLike, collect
from harness.report.events import event_lines, shown_first
from harness.report.fact import Fact
from harness.report.facts import find_facts
from harness.report.plans import plan_line, plan_tree
from harness.report.pods import is_ready
from harness.report.redact import Redactor
from harness.report.snapshot import LogKey, Snapshot, name_of

__all__ = ["Diagnosis", "Story", "diagnose", "render_report"]

_TAIL = 10  # lines of a log on the terminal
_EVENTS = 12
_FACTS = 8
_LOGS = 3
_DETAIL = 300  # characters of one line of detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the test itself knows.

    Args:
        test: its node id; names the folder.
        wanted: what was expected.
        seen: what came instead.
        where: file and line, or the object.
        when: the moments that mattered, one line.
        plan: where the plan stands, one line; taken from the instance when empty.
        instance: name of the KUDO instance under test.
        kept: whether the namespace stays after the test.
        run: the command to run next, when it is a better one than what the facts suggest.
        sections: more texts by title, such as the plan's tree; shown below and written to files.
    """

    test: str
    wanted: str = ""
    seen: str = ""
    where: str = ""
    when: str = ""
    plan: str = ""
    instance: str = ""
    kept: bool = False
    run: str = ""
    sections: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A finished report.

    Args:
        text: for the terminal, redacted.
        cause: the likeliest cause in one line, for summaries; empty when nothing is wrong.
        folder: where the files are, None when none were written.
        redactor: masks what was learnt to be secret in other texts of the same test.
    """

    text: str
    cause: str = ""
    folder: Path | None = None
    redactor: Redactor = field(default_factory=Redactor)


def diagnose(
    kube: KubeLike,
    namespace: str,
    story: Story,
    *,
    artifacts: Artifacts | None = None,
    redactor: Redactor | None = None,
    timeout: float = 20.0,
) -> Diagnosis:
    """Read a namespace after a failure and report on it; whatever goes wrong meanwhile becomes a line of the report.

    Args:
        kube: a client.
        namespace: where the test worked.
        story: what the test knows.
        artifacts: where files are written; none when None.
        redactor: knows secrets already, e.g. passwords that the test made.
        timeout: seconds for all reading.
    """
    redactor = redactor or Redactor()
    try:
        snapshot = _redacted(collect(kube, namespace, redactor=redactor, timeout=timeout), redactor)
        facts = find_facts(snapshot)
        story = _redacted_story(story, redactor)
        folder = artifacts.folder(story.test) if artifacts else None
        text = render_report(snapshot, facts, story, folder)
        notes = _write(artifacts, snapshot, story, text) if artifacts else []
        cause = f"{facts[0].subject}: {facts[0].reason}" if facts else ""
        return Diagnosis(text="\n".join([text, *notes]), cause=cause, folder=folder, redactor=redactor)
    except Exception as error:  # noqa: BLE001 - the test's own failure must stay the one that is told
        told = [
            _row("wanted", story.wanted),
            _row("seen", story.seen),
            f"report  failed: {type(error).__name__}: {error}",
        ]
        return Diagnosis(text=redactor.text("\n".join(filter(None, told))), redactor=redactor)


def _redacted(snapshot: Snapshot, redactor: Redactor) -> Snapshot:
    """Return a snapshot without secrets: part by part, so that names in the report are never taken for keys."""
    return replace(
        snapshot,
        dead=redactor.text(snapshot.dead),
        objects={kind: [redactor.manifest(entry) for entry in found] for kind, found in snapshot.objects.items()},
        logs={key: redactor.text(text) for key, text in snapshot.logs.items()},
        errors=[redactor.text(line) for line in snapshot.errors],
    )


def _redacted_story(story: Story, redactor: Redactor) -> Story:
    return replace(
        story,
        wanted=redactor.text(story.wanted),
        seen=redactor.text(story.seen),
        when=redactor.text(story.when),
        plan=redactor.text(story.plan),
        run=redactor.text(story.run),
        sections=[(title, redactor.text(text)) for title, text in story.sections],
    )


def render_report(snapshot: Snapshot, facts: Sequence[Fact], story: Story, folder: Path | None) -> str:
    """Return the report as text; what it is given is redacted already."""
    head = [
        _row("wanted", story.wanted + (f"      {story.where}" if story.wanted and story.where else "")),
        _row("seen", story.seen),
        _row("why", _why(snapshot, facts)),
        _row("plan", story.plan or plan_line(snapshot.find("Instance", story.instance))),
        _row("when", story.when),
        _row("kept", _kept(snapshot, story, folder)),
        _row("next", story.run or (facts[0].run if facts else "")),
    ]
    return "\n".join([*filter(None, head), *_sections(snapshot, facts, story)])


def _why(snapshot: Snapshot, facts: Sequence[Fact]) -> str:
    if not facts:
        pods = snapshot.of("Pod")
        return f"nothing wrong is to be seen in namespace {snapshot.namespace}: {_ready(snapshot)}" if pods else ""
    fact = facts[0]
    return "\n".join(
        filter(None, [f"{fact.subject}: {fact.reason}", *_details(fact), _last_line(snapshot, fact), fact.chain])
    )


def _last_line(snapshot: Snapshot, fact: Fact) -> str:
    if fact.log is None:
        return ""
    line = next((line for line in reversed(_log(snapshot, fact.log).splitlines()) if line.strip()), "")
    return f"last log line: {_shortened(line.strip())}" if line else ""


def _log(snapshot: Snapshot, key: LogKey) -> str:
    """Return a log; while the previous one cannot be read, the present one tells the same story."""
    return snapshot.logs.get(key) or snapshot.logs.get(LogKey(key.pod, key.container)) or ""


def _details(fact: Fact) -> list[str]:
    return [_shortened(" ".join(line.split())) for line in fact.detail]


def _shortened(text: str) -> str:
    """Return a text without its middle when it is long: what is meant stands at its start, the cause at its end."""
    half = _DETAIL // 2
    return text if len(text) <= _DETAIL else f"{text[:half]} ... {text[-half:]}"


def _kept(snapshot: Snapshot, story: Story, folder: Path | None) -> str:
    parts = [f"namespace {snapshot.namespace}"] if story.kept else []
    return "; ".join([*parts, *([f"artifacts {folder}/"] if folder else [])])


def _ready(snapshot: Snapshot) -> str:
    pods = snapshot.of("Pod")
    return f"{sum(is_ready(pod) for pod in pods)} of {len(pods)} pods ready"


def _sections(snapshot: Snapshot, facts: Sequence[Fact], story: Story) -> Iterable[str]:
    yield from (_section(title, text) for title, text in story.sections if text)
    instance = snapshot.find("Instance", story.instance)
    if instance is not None and not any("plan" in title for title, _text in story.sections):
        yield _section(f"plans of instance {story.instance}", plan_tree(instance))
    if len(facts) > 1:
        yield _section(f"what is wrong ({_ready(snapshot)})", "\n".join(_fact_lines(facts)))
    lines = event_lines(snapshot.of("Event"))
    if lines:
        shown = shown_first(lines, _EVENTS)
        yield _section(
            f"events ({len(shown)} of {len(lines)}, warnings first)", "\n".join(_shortened(str(line)) for line in shown)
        )
    yield from _log_sections(snapshot, facts)
    if snapshot.errors:
        yield _section("not read", "\n".join(snapshot.errors))


def _fact_lines(facts: Sequence[Fact]) -> Iterable[str]:
    for fact in facts[:_FACTS]:
        yield f"{fact.subject}: {fact.reason}"
        yield from (f"  {line}" for line in _details(fact))
    if len(facts) > _FACTS:
        yield f"and {len(facts) - _FACTS} more"


def _log_sections(snapshot: Snapshot, facts: Sequence[Fact]) -> Iterable[str]:
    keys = list(dict.fromkeys(fact.log for fact in facts if fact.log is not None))
    for key in keys[:_LOGS]:
        lines = _log(snapshot, key).splitlines()[-_TAIL:]
        which = ", before its last restart" if key.previous else ""
        if lines:
            count = f"last {len(lines)} lines" if len(lines) > 1 else "its only line"
            yield _section(f"log of pod {key.pod}, container {key.container}{which} ({count})", "\n".join(lines))


def _section(title: str, text: str) -> str:
    body = "\n".join(f"  {line}" for line in text.rstrip("\n").splitlines())
    return f"\n{title}\n{body}"


def _row(name: str, text: str) -> str:
    """Return a line of the head, as errors have it; empty for an empty text."""
    first, *rest = text.rstrip("\n").split("\n")
    return "\n".join([f"{name:<7} {first}", *(f"        {line}" for line in rest)]) if text else ""


def _write(artifacts: Artifacts, snapshot: Snapshot, story: Story, text: str) -> list[str]:
    """Write the report, events, objects and logs; return a line for what could not be written."""
    folder = artifacts.folder(story.test)
    files = {Path("report.txt"): f"{story.test}\n{text}\n"}
    files |= {Path(f"{safe_name(title)}.txt"): body for title, body in story.sections if body}
    events = "\n".join(str(line) for line in event_lines(snapshot.of("Event")))
    files[Path("events.txt")] = f"{events}\n" if events else "no events\n"
    for key, log in snapshot.logs.items():
        files[Path("logs", f"{key.pod}.{key.container}{'.previous' if key.previous else ''}.log")] = log
    for kind, found in snapshot.objects.items():
        for entry in found:
            if kind == "Event" or (kind == "ConfigMap" and name_of(entry) == "kube-root-ca.crt"):
                continue
            name = safe_name(f"{kind}.{name_of(entry)}")
            files[Path("objects", f"{name}.yaml")] = dump_yaml(entry)
    try:
        for path, content in files.items():
            artifacts.write(artifacts.root / folder.name / path, content)
    except OSError as error:
        return [f"artifacts not written: {error}"]
    return []
