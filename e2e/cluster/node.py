"""The kind node image: upstream Kubernetes, built, on a Debian root with kind's own files.

`kind build node-image` pulls what it does not find, so the component images are imported into a
running container, which is then committed.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import command, golang, oci, packages, programs, rootfs, versions
from e2e.cluster.errors import Problem
from e2e.cluster.image import Image
from e2e.cluster.progress import progress
from e2e.cluster.rootfs import Root
from e2e.cluster.settings import Settings

FILES = Path(__file__).parent / "files"
ROOT = Root(
    "node",
    versions.NODE_SUITE,
    (
        *("systemd", "conntrack", "iptables", "nftables", "iproute2", "ethtool", "mount", "kmod"),
        *("pigz", "ca-certificates", "curl", "jq", "procps", "hostname", "socat", "ipset"),
        *("containerd", "runc", "containernetworking-plugins"),
    ),
    "40 s",
)
PROGRAMS = (
    programs.KUBERNETES,
    programs.ETCD,
    programs.COREDNS,
    programs.POLICY_ENGINE,
    programs.PROVISIONER,
)
BUSYBOX = Path("/bin/busybox")  # Debian's busybox-static
CONTAINERD_STARTS_WITHIN = 30.0  # seconds
REGISTRY = "registry.k8s.io"
HELPER = "docker.io/kindest/local-path-helper:busybox"  # this and the next as in files/node
PROVISIONER = "docker.io/rancher/local-path-provisioner:v0.0.30"
POLICY_ENGINE = f"{REGISTRY}/networking/kube-network-policies:v0.8.0"
POD_NETWORK = "microservice.dev/pod-network:1"


@dataclass(frozen=True)
class Build:
    """One build: `binaries` by name, and a folder that is gone afterwards."""

    settings: Settings
    binaries: Mapping[str, Path]
    work: Path

    def packed(self, reference: str, name: str, *, path: str = "", entry: bool = False) -> str:
        """An image of one binary; kubeadm's manifests name the program themselves."""
        target = path or f"/usr/local/bin/{name}"
        lines = [f'ENTRYPOINT ["{target}"]'] if entry else []
        path_line = "ENV PATH=/usr/local/bin:/bin"
        oci.import_files({target: self.binaries[name]}, reference, [path_line, *lines])
        return reference

    def on_root(self, reference: str, root: str, *files: Path) -> str:
        """An image of the Debian root with these files in /usr/local/bin."""
        context = self.work / reference.replace("/", "-").replace(":", "-")
        (context / "bin").mkdir(parents=True)
        for file in files:
            shutil.copy2(file, context / "bin")
        (context / "Dockerfile").write_text(f"FROM {root}\nCOPY bin/ /usr/local/bin/\n")
        command.run("docker", "build", "-t", reference, context)
        return reference


def make(settings: Settings, reference: str, changes: Sequence[str]) -> None:
    packages.ensure(settings, "busybox-static", why="the node image has to be built")
    with tempfile.TemporaryDirectory(prefix="kind-node-") as folder:
        build = Build(settings, _binaries(settings), Path(folder))
        root = f"microservice.dev/kind-node-root:{versions.NODE_SUITE}"
        oci.import_root(rootfs.build(settings, ROOT), root, [])
        wanted = _kubeadm_images(build)
        with progress.step("pack the components into images", "15 s"):
            references = _components(build, root, wanted)
            command.run("docker", "save", *references, "-o", build.work / "components.tar")
        with progress.step("lay out the node", "20 s"):
            base = _base(build, root, wanted["pause"])
        with progress.step("import the components into the node", "20 s"):
            _commit(build, base, reference, changes)
        command.answer("docker", "rmi", *references, base, root)


def _binaries(settings: Settings) -> dict[str, Path]:
    built = {
        name: golang.build(settings, program) / name
        for program in PROGRAMS
        for name in program.binaries
    }
    return {**built, "busybox": BUSYBOX}


def _kubeadm_images(build: Build) -> dict[str, str]:
    """Last part of the name -> reference, for what kubeadm of this version will ask for."""
    kubeadm = build.binaries["kubeadm"]
    text = command.run(
        kubeadm, "config", "images", "list", "--kubernetes-version", versions.KUBERNETES
    )
    found = re.findall(rf"^{re.escape(REGISTRY)}/\S+$", text, re.MULTILINE)
    images = {line.rpartition("/")[2].partition(":")[0]: line for line in found}
    if missing := {"etcd", "coredns", "pause", "kube-proxy"} - images.keys():
        raise Problem(f"kubeadm names no image for {', '.join(sorted(missing))}")
    return images


def _components(build: Build, root: str, wanted: Mapping[str, str]) -> list[str]:
    kubectl, proxy = build.binaries["kubectl"], build.binaries["kube-proxy"]
    pause = {"/bin/sleep": BUSYBOX}
    oci.import_files(pause, wanted["pause"], ['ENTRYPOINT ["/bin/sleep","2147483647"]'])
    shell = {f"/bin/{name}": BUSYBOX for name in ("sh", "mkdir", "rm")}
    oci.import_files(shell, HELPER, ["ENV PATH=/bin"])
    return [
        *(build.packed(wanted[name], name) for name in (*programs.CONTROL_PLANE, "etcd")),
        build.packed(wanted["coredns"], "coredns", entry=True),
        build.packed(POLICY_ENGINE, "kube-network-policies", entry=True),
        build.packed(PROVISIONER, "local-path-provisioner"),
        build.on_root(wanted["kube-proxy"], root, proxy),
        build.on_root(POD_NETWORK, root, FILES / "pod-network" / "pod-network", kubectl),
        wanted["pause"],
        HELPER,
    ]


def _base(build: Build, root: str, pause: str) -> str:
    """The node without component images."""
    context = build.work / "node"
    shutil.copytree(FILES / "node", context)
    module = golang.module_folder(build.settings, f"sigs.k8s.io/kind@{versions.KIND}")
    command.run("cp", "-r", module / "images" / "base" / "files", context / "files")
    command.run("chmod", "-R", "u+w", context)
    (context / "bin").mkdir()
    for name in ("kubelet", "kubeadm", "kubectl"):
        shutil.copy2(build.binaries[name], context / "bin")
    (context / "version").write_text(versions.KUBERNETES)
    reference = "microservice.dev/kind-node-base:build"
    arguments = ("--build-arg", f"ROOT={root}", "--build-arg", f"PAUSE={pause}")
    command.run("docker", "build", "-t", reference, *arguments, context)
    return reference


def _commit(build: Build, base: str, reference: str, changes: Sequence[str]) -> None:
    options = ("--privileged", "-v", f"{build.work}:/build", "--entrypoint", "containerd")
    lines = ('ENTRYPOINT ["/usr/local/bin/entrypoint","/sbin/init"]', *changes)
    with oci.container(base, *options) as name:
        _wait_for_containerd(name)
        importing = "ctr -n k8s.io images import --all-platforms --no-unpack /build/components.tar"
        command.run("docker", "exec", name, *importing.split())
        words = [word for line in lines for word in ("-c", line)]
        command.run("docker", "commit", *words, name, reference)


def _wait_for_containerd(container: str) -> None:
    until = time.monotonic() + CONTAINERD_STARTS_WITHIN
    while not command.answer("docker", "exec", container, "ctr", "version"):
        if time.monotonic() > until:
            log = command.run("docker", "logs", "--tail", "15", container)
            raise Problem(f"containerd did not start in the node image\n{log}")
        time.sleep(0.3)


NODE = Image(
    "node",
    f"kindest/node:{versions.KUBERNETES}",
    [
        FILES,
        Path(__file__),
        versions.KIND,
        *ROOT.inputs,
        *(part for program in PROGRAMS for part in program.inputs),
    ],
    make,
    "10 min for the Go programs, then 1 min",
    own_name=f"microservice.dev/kind-node:{versions.KUBERNETES}",
)
