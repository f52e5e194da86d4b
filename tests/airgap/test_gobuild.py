"""The Go build: the generated module, keys, order, resumption, errors."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.airgap import gobuild as module
from harness.airgap import versions
from harness.airgap.gobuild import ALL, COMMANDS, CONTROL_PLANE, GoBuild, module_text, staging_modules
from harness.airgap.layout import Layout
from harness.airgap.machine import Machine
from harness.kit.errors import HarnessError
from harness.kit.stages import Stages

KUBERNETES_MOD = """\
module k8s.io/kubernetes

go 1.26.0

godebug default=go1.26

require (
\tk8s.io/api v0.0.0
)

replace (
\tk8s.io/api => ./staging/src/k8s.io/api
\tk8s.io/client-go => ./staging/src/k8s.io/client-go
)
"""


def test_staging_modules_are_read_from_the_replace_block() -> None:
    """Only what is replaced by a staging folder counts."""
    assert staging_modules(KUBERNETES_MOD) == ["k8s.io/api", "k8s.io/client-go"]


def test_the_module_replaces_staging_folders_by_published_versions() -> None:
    """v1.36.3 of Kubernetes means v0.36.3 of its staging modules; the Go version is Kubernetes' own."""
    text = module_text("v1.36.3", KUBERNETES_MOD, {"sigs.k8s.io/kind": "v0.33.0"})
    lines = text.splitlines()
    assert "go 1.26.0" in lines
    assert "\tk8s.io/kubernetes v1.36.3" in lines
    assert "\tsigs.k8s.io/kind v0.33.0" in lines
    assert "\tk8s.io/client-go => k8s.io/client-go v0.36.3" in lines
    assert "staging" not in text


def test_a_main_package_is_a_tool() -> None:
    """A package that cannot be imported is kept in the module by a tool line."""
    text = module_text("v1.36.3", KUBERNETES_MOD, versions.COMPANIONS)
    assert "tool github.com/rancher/local-path-provisioner" in text.splitlines()
    assert "tool" not in module_text("v1.33.13", KUBERNETES_MOD, {})


def test_a_go_mod_without_a_go_line_is_refused() -> None:
    """What cannot be Kubernetes' go.mod is named."""
    with pytest.raises(HarnessError, match="go line"):
        module_text("v1.36.3", "module x\n", {})


class World:
    """A Go toolchain that writes programs at once, and the places where they go."""

    def __init__(self, layout: Layout, machine: Machine, fake: Any, stages: Stages) -> None:
        self.layout, self.machine, self.fake, self.stages = layout, machine, fake, stages
        self.built: list[str] = []
        self.fails = ""

    def go(self, version: str = versions.DEFAULT) -> GoBuild:
        return GoBuild(version, self.layout, self.machine, self.fake)

    def build(self, names: Sequence[str], version: str = versions.DEFAULT) -> dict[str, Path]:
        self.built.clear()
        return self.go(version).build(names, self.stages)

    def compile(self, argv: list[str], folder: Path, _stages: Stages, _progress: object) -> None:
        target = Path(argv[argv.index("-o") + 1])
        self.built.append(argv[-1])
        (folder / "build.log").write_text("compiling\n", encoding="utf-8")
        if argv[-1] == self.fails:
            (folder / "build.log").write_text("undefined: app.New\n", encoding="utf-8")
        else:
            target.write_text(" ".join(argv), encoding="utf-8")


@pytest.fixture
def world(layout: Layout, machine: Machine, fake: Any, stages: Stages, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(layout, machine, fake, stages)
    mod = machine.root / "kubernetes.mod"
    mod.write_text(KUBERNETES_MOD, encoding="utf-8")
    fake.on("/opt/go", "list", gives=f"{mod}\n")
    monkeypatch.setattr(Machine, "require_go", lambda _self, _wanted: Path("/opt/go"))
    monkeypatch.setattr(GoBuild, "_long", lambda _self, *arguments: made.compile(*arguments))
    return made


NAMES = [program.name for program in ALL]


def test_everything_is_built_once(world: World, told: io.StringIO) -> None:
    """The first build makes all programs, the second asks the compiler for nothing."""
    first = world.build(NAMES)
    assert world.built == [program.package for program in ALL]
    assert all(path.exists() for path in first.values())
    commands = len(world.fake.commands)
    assert world.build(NAMES) == first
    assert (world.built, len(world.fake.commands)) == ([], commands)
    assert "kubernetes v1.36.3: built 6 programs" in told.getvalue()


def test_an_interrupted_build_goes_on_where_it_stopped(world: World) -> None:
    """Finished programs are kept; only the failed one and those after it are built again."""
    world.fails = "./coredns"
    with pytest.raises(HarnessError):
        world.build(NAMES)
    world.fails = ""
    world.build(NAMES)
    assert world.built == ["./coredns", "github.com/rancher/local-path-provisioner", "./pause"]


def test_a_compiler_error_is_shown(world: World, told: io.StringIO) -> None:
    """The error holds what the compiler said and where the log is; nothing half-made carries a final name."""
    world.fails = "./etcd"
    with pytest.raises(HarnessError, match=r"undefined: app\.New") as caught:
        world.build(["etcd"])
    assert caught.value.where.endswith("build.log")
    assert caught.value.run == "harness airgap build"
    assert world.go().missing(["etcd"])
    assert "failed after" in told.getvalue()


def test_the_control_plane_needs_two_programs(world: World) -> None:
    """API server tests wait for etcd and Kubernetes only."""
    world.build(CONTROL_PLANE)
    assert world.built == ["./kubernetes", "./etcd"]


def test_companions_serve_every_version(world: World) -> None:
    """Another Kubernetes version builds only Kubernetes again, in a module without the companions."""
    world.build(NAMES)
    world.build(NAMES, "v1.33.13")
    assert world.built == ["./kubernetes"]
    modules = world.layout.cache / "modules"
    assert "coredns" not in next(modules.glob("v1.33.13-*/go.mod")).read_text(encoding="utf-8")
    assert not list(modules.glob("v1.33.13-*/coredns"))


def test_keys_follow_the_inputs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version, another source or another pin gives another key; the same inputs give the same."""
    build, program = world.go(), ALL[0]
    key = build.key(program)
    assert key == world.go().key(program)
    assert key != world.go("v1.35.4").key(program)
    monkeypatch.setitem(versions.COMPANIONS, "github.com/coredns/coredns", "v1.14.8")
    assert key != build.key(program)
    changed = build.key(program)
    monkeypatch.setattr(module, "_sources", lambda: {"kubernetes": "package main"})
    assert changed != build.key(program)


def test_a_changed_source_builds_one_program_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not contain the changed source is kept."""
    world.build(NAMES)
    sources = module._sources() | {"pause": "package main // changed"}
    monkeypatch.setattr(module, "_sources", lambda: sources)
    world.build(NAMES)
    assert world.built == ["./pause"]


def test_companion_keys_do_not_depend_on_the_version(world: World) -> None:
    """The program kind is the same one for v1.33 and v1.36."""
    kind = next(program for program in ALL if program.name == "kind")
    assert world.go().path(kind) == world.go("v1.33.13").path(kind)


def test_every_command_has_its_own_name(world: World) -> None:
    """The folder of commands holds a link per name; making it twice changes nothing."""
    built = world.build(NAMES)
    folder = world.go().commands(built)
    assert folder == world.go().commands(built)
    assert {path.name for path in folder.iterdir()} == {*NAMES, *COMMANDS}
    assert (folder / "kubelet").resolve() == built["kubernetes"]


def test_version_stamps_are_linked_in(world: World) -> None:
    """Without gitVersion kubeadm and kubectl misbehave: the linker is told version, major, minor, commit and tree."""
    command = world.build(["kubernetes"], "v1.35.4")["kubernetes"].read_text(encoding="utf-8")
    for stamp in ("gitVersion=v1.35.4", "gitMajor=1", "gitMinor=35", "gitTreeState=clean"):
        assert f"-X k8s.io/component-base/version.{stamp}" in command


def test_programs_are_static_and_use_no_other_toolchain() -> None:
    """Containers without a C library run them; a missing Go version is an error, not a download."""
    env = module._go_env()
    assert (env["CGO_ENABLED"], env["GOTOOLCHAIN"], env["GOWORK"]) == ("0", "local", "off")


def test_progress_tells_what_is_left() -> None:
    """A long build says how long it took and about how long it will take; past that, that it is late."""
    progress = module._Progress(label="kubernetes v1.36.3: building 1 of 6 programs, kubernetes", begun=0.0, ends=340.0)
    assert progress.text(252.0).endswith("kubernetes, 4 m 12 s so far (about 1 m 28 s left)")
    assert progress.text(400.0).endswith("so far (longer than usual)")


def test_a_small_disk_stops_the_build_before_it_starts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Space is checked first: half an hour later is too late."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: type("Usage", (), {"free": 1 << 30})())
    with pytest.raises(HarnessError, match="GiB free"):
        world.build(NAMES)
    assert world.built == []


def test_our_programs_have_sources() -> None:
    """Each program of our own has a main package, and each main package is a program."""
    own = {program.package.removeprefix("./") for program in ALL if program.package.startswith("./")}
    assert own == set(module._sources())
