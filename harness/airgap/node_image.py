"""The image of a kind node: a small Debian with systemd, containerd and Kubernetes, container images unpacked.

Nothing is pulled when a cluster is made from it. Imported by the rest of harness.airgap.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from harness.airgap import versions
from harness.airgap.engine import Docker
from harness.airgap.gobuild import COMMANDS
from harness.airgap.images import Image, Layer, Link, files_layer, write_archive
from harness.airgap.layout import Layout, content_key
from harness.airgap.rootfs import Debian, Tree, closure
from harness.kit.paths import file_lock
from harness.kit.process import Runner
from harness.kit.stages import Stages

__all__ = ["NODE_TREE", "NodeImage", "node_reference", "system_key"]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_RECIPE = 1  # raise it when this module makes another image from the same inputs
_PRELOADER = "harness-preload"
_KEPT = 6  # node images: four versions, and those of a change and of before
_LOAD = 300.0  # seconds
_BUILD = 900.0
_CNI = ("host-local", "loopback", "portmap", "ptp")
_MASKED = _words(
    """systemd-resolved.service systemd-timesyncd.service systemd-logind.service systemd-udevd.service
    systemd-update-utmp.service systemd-journald-audit.socket getty@tty1.service console-getty.service
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer dev-hugepages.mount
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount"""
)
_ENABLED = ("containerd.service", "kubelet.service", "pod-routes.service")
_PROXY_TOOLS = _words(
    """/usr/sbin/iptables /usr/sbin/iptables-save /usr/sbin/iptables-restore /usr/sbin/ip6tables
    /usr/sbin/ip6tables-save /usr/sbin/ip6tables-restore /usr/sbin/nft /usr/sbin/conntrack /usr/sbin/ip
    /usr/bin/kmod /sbin/modprobe"""
)
NODE_TREE = Tree(
    name="node",
    packages=_words(
        """systemd systemd-sysv dbus containerd runc iptables nftables iproute2 ethtool socat conntrack util-linux
        mount kmod procps ca-certificates containernetworking-plugins busybox curl"""
    ),
    trim=(
        # Neither package tools nor perl run in a node; shims other than v2 are those of old clusters; the rest is
        # apt's C++ library, Berkeley DB, vector mathematics, and services that are masked.
        *_words("""usr/bin/perl* usr/lib/x86_64-linux-gnu/perl-base usr/share/perl5 usr/bin/apt* usr/lib/apt
        usr/lib/x86_64-linux-gnu/libapt* usr/share/zoneinfo usr/lib/udev/hwdb.d usr/lib/cni var/lib/dpkg/*
        usr/bin/containerd-shim usr/bin/containerd-shim-runc-v1 usr/bin/containerd-stress usr/bin/openssl
        usr/lib/x86_64-linux-gnu/libstdc++* usr/lib/x86_64-linux-gnu/libdb-5* usr/lib/x86_64-linux-gnu/libmvec*
        usr/lib/systemd/systemd-networkd* usr/lib/systemd/systemd-timesyncd usr/sbin/ldconfig sbin/ldconfig"""),
        # Each node makes these for itself.
        "etc/machine-id",
        "etc/cni/net.d/*",
    ),
    extra=" ".join([*_CNI, *_PROXY_TOOLS]),
)


class NodeImage:
    """Builds the node image for one Kubernetes version and a set of suite images."""

    def __init__(
        self, version: str, programs: Mapping[str, Path], commands: Path, *, layout: Layout, docker: Docker,
        debian: Debian, run: Runner, stages: Stages,
    ) -> None:  # fmt: skip
        self.version = version
        self._programs = programs
        self._commands = commands
        self._layout = layout
        self._docker = docker
        self._debian = debian
        self._run = run
        self._stages = stages

    def ensure(self, tag: str, archives: Sequence[Path], system_key: str) -> None:
        """Make the node image unless the engine holds it.

        Args:
            tag: its reference.
            archives: image archives of the suites, unpacked into it.
            system_key: the content key of everything else in it.

        Raises:
            ProcessError: a program failed; with its output.
        """
        with file_lock(self._layout.locks / "node-image", timeout=_BUILD, wanted="the node image"):
            if self._docker.has_image(tag):
                return
            with self._stages.stage(f"node image {self.version}: building", f"node image {self.version} ready"):
                system = self._system_archive(system_key)
                self._preload(self._root_image(system_key), tag, [system, *archives])
            self._prune(system_key)

    def _root_image(self, system_key: str) -> str:
        """Load the node without container images into the engine; return its reference."""
        reference = f"harness.local/node-root:{self.version}-{system_key}"
        archive = self._layout.images / f"node-root-{system_key}.tar"
        if not archive.exists():
            tree = self._debian.layer(NODE_TREE, self._finish_tree)
            image = Image(
                tags=(reference,), layers=(tree, self._own_files()), env={"container": "docker"},
                entrypoint=("/usr/local/sbin/node-entrypoint",), stop_signal="SIGRTMIN+3",
            )  # fmt: skip
            write_archive(archive, [image])
        if not self._docker.has_image(reference):
            self._docker("load", "--quiet", "--input", archive, timeout=_LOAD)
        return reference

    def _own_files(self) -> Layer:
        """Return the layer of our own files: what kind looks for, units, configuration."""
        pause = next(name for name in self._wanted_images() if "/pause:" in name)
        marks = {"@PAUSE@": pause, "@BUSYBOX@": versions.BUSYBOX_TAGS[0], "@PROVISIONER@": versions.PROVISIONER_TAG}
        data = {name: _marked(text, marks) for name, text in node_files().items()}
        system = "etc/systemd/system"
        content: dict[str, Path | bytes | Link | None] = {
            "kind/version": self.version.encode(),
            "kind/manifests/default-storage.yaml": data["default-storage.yaml"],
            "kind/cni.conflist": data["cni.conflist"],
            "etc/containerd/config.toml": data["containerd.toml"],
            "usr/local/sbin/node-entrypoint": data["entrypoint"],
            "usr/local/sbin/kubelet-cgroups": data["kubelet-cgroups"],
            "etc/cni/net.d": None,
            "etc/crictl.yaml": b"runtime-endpoint: unix:///run/containerd/containerd.sock\n",
            f"{system}/default.target": Link(target="/lib/systemd/system/multi-user.target"),
            **{f"{system}/{unit}": data[unit] for unit in _ENABLED},
            **{f"{system}/multi-user.target.wants/{unit}": Link(target=f"../{unit}") for unit in _ENABLED},
            **{f"{system}/{unit}": Link(target="/dev/null") for unit in _MASKED},
        }
        return files_layer(self._layout.images / f"node-files-{self.version}.layer", content)

    def _system_archive(self, system_key: str) -> Path:
        """Return the archive of the images that kubeadm and the storage provisioner ask for."""
        archive = self._layout.images / f"system-{self.version}-{system_key}.tar"
        if archive.exists():
            return archive
        self._debian.layer(NODE_TREE, self._finish_tree)  # its closures are layers of these images
        layers = self._layout.work / f"layers-{os.getpid()}"
        try:
            write_archive(archive, self._system_images(layers))
        finally:
            shutil.rmtree(layers, ignore_errors=True)
        return archive

    def _system_images(self, folder: Path) -> list[Image]:
        content: dict[str, Path | bytes | Link | None] = {
            "usr/local/bin/kubernetes": self._programs["kubernetes"],
            **{f"usr/local/bin/{name}": Link(target="kubernetes") for name in COMMANDS},
        }
        kubernetes = files_layer(folder / "kubernetes.layer", content)
        tools = Layer.of(self._closure_path("proxy"))
        busybox = Image(tags=versions.BUSYBOX_TAGS, layers=(Layer.of(self._closure_path("busybox")),), cmd=("sh",))
        images = [busybox]
        single = {"etcd": "etcd", "coredns": "coredns", "pause": "pause"}
        for reference in self._wanted_images():
            name = reference.rpartition("/")[2].partition(":")[0]
            if name in single:
                images.append(self._single(folder, reference, single[name]))
            else:
                layers = (kubernetes, tools) if name == "kube-proxy" else (kubernetes,)
                images.append(Image(tags=(reference,), layers=layers, entrypoint=(name,)))
        return [*images, self._single(folder, versions.PROVISIONER_TAG, "local-path-provisioner")]

    def _single(self, folder: Path, reference: str, program: str) -> Image:
        content = {f"usr/local/bin/{program}": self._programs[program]}
        layer = files_layer(folder / f"{program}.layer", content)
        return Image(tags=(reference,), layers=(layer,), entrypoint=(f"/usr/local/bin/{program}",))

    def _wanted_images(self) -> list[str]:
        """Return the image references that this version's kubeadm asks for."""
        argv = [str(self._commands / "kubeadm"), "config", "images", "list", "--kubernetes-version", self.version]
        return self._run(argv, timeout=30.0).stdout.split()

    def _finish_tree(self, root: Path) -> None:
        """Arrange the installed tree as a node, and take the closures for kube-proxy and busybox out of it."""
        for plugin in _CNI:
            target = root / "opt/cni/bin" / plugin
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / "usr/lib/cni" / plugin, target)
        plugins = sorted((root / "usr/lib/x86_64-linux-gnu/xtables").glob("*.so"))
        # iptables loads its matches as plugins, and those have libraries of their own.
        wanted = [*_PROXY_TOOLS, *(f"/{plugin.relative_to(root)}" for plugin in plugins)]
        proxy: dict[str, Path | bytes | Link | None] = {**closure(root, wanted, self._run)}
        files_layer(self._closure_path("proxy"), _usr_merged(proxy) | {"run": None, "tmp": None})
        applets = self._run(["chroot", root, "/bin/busybox", "--list"], timeout=30.0).stdout.split()
        files_layer(self._closure_path("busybox"), _busybox(closure(root, ["/bin/busybox"], self._run), applets))

    def _closure_path(self, name: str) -> Path:
        return self._layout.trees / f"{name}-{NODE_TREE.key()}.layer"

    def _prune(self, system_key: str) -> None:
        """Remove what no build will use again: old archives, and all but the newest images that nobody runs."""
        for pattern in (f"system-{self.version}-*.tar", "node-root-*.tar"):
            for archive in self._layout.images.glob(pattern):
                if system_key not in archive.name:
                    archive.unlink(missing_ok=True)
        for repository, kept in (("harness.local/node", _KEPT), ("harness.local/node-root", 1)):
            listed = self._docker("images", "--format", "{{.Repository}}:{{.Tag}}", repository)  # newest first
            if old := listed.stdout.split()[kept:]:
                self._docker("rmi", *old, check=False)  # an image in use is refused, and stays

    def _preload(self, root_image: str, tag: str, archives: Sequence[Path]) -> None:
        """Unpack image archives with the node's own containerd and keep the result as an image."""
        self._remove_stale_containers()
        name = f"{_PRELOADER}-{os.getpid()}"
        mounts = [f"--volume={archive}:/media/{number}.tar:ro" for number, archive in enumerate(archives)]
        self._docker(
            "run", "--detach", "--name", name, "--privileged", "--network=none", "--tmpfs=/run", *mounts,
            "--entrypoint=sleep", root_image, "infinity", timeout=_LOAD,
        )  # fmt: skip
        try:
            self._docker("exec", name, "bash", "-euc", _PRELOAD, timeout=_LOAD)
            self._docker("stop", "--time=0", name)
            entrypoint = 'ENTRYPOINT ["/usr/local/sbin/node-entrypoint"]'
            self._docker("commit", "--change", entrypoint, "--change", "CMD []", name, tag, timeout=_LOAD)
        finally:
            self._docker("rm", "--force", "--volumes", name, check=False)

    def _remove_stale_containers(self) -> None:
        """Remove what a killed build left; the lock says that no other build runs."""
        done = self._docker("ps", "--all", "--quiet", "--filter", f"name=^{_PRELOADER}-")
        if left := done.stdout.split():
            self._docker("rm", "--force", "--volumes", *left, check=False)


# The node's commands are links into the unpacked layer of the Kubernetes images: it is there once, not twice. Layer
# blobs are dropped after unpacking; a node starts containers from snapshots and never needs them again.
_PRELOAD = """
containerd --log-level warn & engine=$!
for _ in $(seq 200); do ctr version >/dev/null 2>&1 && break; kill -0 $engine; sleep 0.1; done
for archive in /media/*.tar; do ctr --namespace k8s.io images import "$archive" >/dev/null; done
for blob in $(ctr --namespace k8s.io content ls --quiet); do
  if [[ $(ctr --namespace k8s.io content get "$blob" | head --bytes 1) != '{' ]]; then
    ctr --namespace k8s.io content rm "$blob" >/dev/null
  fi
done
# Blobs vanish from disk in the background; deleting a lease with --sync waits until they have.
ctr --namespace k8s.io leases create --id collect >/dev/null
ctr --namespace k8s.io leases delete --sync collect >/dev/null
binary=$(ls -d /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/*/fs/usr/local/bin/kubernetes)
for command in kubeadm kubectl kubelet; do ln -s "$binary" /usr/bin/$command; done
kill $engine
wait $engine || :
"""


def node_files() -> dict[str, str]:
    """Return our own files for a node: name to text."""
    folder = resources.files("harness.airgap").joinpath("data/node")
    return {entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.is_file()}


def _marked(text: str, marks: Mapping[str, str]) -> bytes:
    for mark, value in marks.items():
        text = text.replace(mark, value)
    return text.encode()


def _usr_merged(files: Mapping[str, Path | bytes | Link | None]) -> dict[str, Path | bytes | Link | None]:
    """Return files under the names that they have when /bin, /lib and the like are links into /usr."""
    merged: dict[str, Path | bytes | Link | None] = {}
    for folder in ("bin", "sbin", "lib", "lib64"):
        merged[folder] = Link(target=f"usr/{folder}")
    for name, value in files.items():
        first = name.lstrip("/").partition("/")[0]
        merged[f"usr/{name.lstrip('/')}" if first in merged else name.lstrip("/")] = value
    return merged


def _busybox(files: Mapping[str, Path], applets: Sequence[str]) -> dict[str, Path | bytes | Link | None]:
    content = _usr_merged(files)
    links = {f"usr/bin/{name}": Link(target="busybox") for name in applets if name != "busybox"}
    accounts = {
        "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
        "etc/group": b"root:x:0:\nnobody:x:65534:\n",
    }
    return {**links, **content, **accounts, "tmp": None, "root": None, "var": None}


def node_reference(version: str, key: str) -> str:
    """Return the reference of the node image with a content key."""
    return f"harness.local/node:{version}-{key}"


def system_key(version: str, programs: Mapping[str, str]) -> str:
    """Return the content key of everything in a node image but the suite images.

    Args:
        version: the Kubernetes version.
        programs: program name to its build key.
    """
    return content_key([_RECIPE, version, dict(programs), NODE_TREE.key(), node_files(), _MASKED, _ENABLED, _PRELOAD])
