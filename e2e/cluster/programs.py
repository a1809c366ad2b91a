"""What is built from Go modules, and what it costs on two cores with nothing cached."""

from __future__ import annotations

from e2e.cluster import versions
from e2e.cluster.golang import STRIPPED, Program

_VERSION = "k8s.io/component-base/version"
_MAJOR, _MINOR = versions.KUBERNETES.lstrip("v").split(".")[:2]
# Without these the server reports v0.0.0, which kubeadm refuses.
_STAMPED = (
    f"{STRIPPED} -X {_VERSION}.gitVersion={versions.KUBERNETES}"
    f" -X {_VERSION}.gitMajor={_MAJOR} -X {_VERSION}.gitMinor={_MINOR}"
)
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
_NODE = ("kube-proxy", "kubelet", "kubeadm", "kubectl")

KUBERNETES = Program(
    "kubernetes",
    {name: f"k8s.io/kubernetes/cmd/{name}" for name in (*CONTROL_PLANE, *_NODE)},
    "9 min",
    module="kubernetes",
    ldflags=_STAMPED,
)
KUBECTL = Program(
    "kubectl",
    {"kubectl": "k8s.io/kubernetes/cmd/kubectl"},
    "15 s after Kubernetes, else 2 min",
    module="kubernetes",
    ldflags=_STAMPED,
)
ETCD = Program("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}, "1 min", module="etcd")
COREDNS = Program("coredns", {"coredns": "."}, "80 s", module="coredns")
POLICY_ENGINE = Program(
    "policy-engine",
    {"kube-network-policies": "sigs.k8s.io/kube-network-policies/cmd"},
    "1 min",
    module="addons",
)
PROVISIONER = Program(
    "provisioner",
    {"local-path-provisioner": "github.com/rancher/local-path-provisioner"},
    "10 s",
    module="addons",
)
METRICS_SERVER = Program(
    "metrics-server",
    {"metrics-server": f"sigs.k8s.io/metrics-server/cmd/metrics-server@{versions.METRICS_SERVER}"},
    "90 s",
)
KIND = Program("kind", {"kind": f"sigs.k8s.io/kind@{versions.KIND}"}, "5 s")
HELM = Program("helm", {"helm": f"helm.sh/helm/v4/cmd/helm@{versions.HELM}"}, "90 s")
# For the benchmarks alone.
KWOK = Program("kwok", {"kwok": f"sigs.k8s.io/kwok/cmd/kwok@{versions.KWOK}"}, "2 min")
KRO = Program(
    "kro",
    {"controller": f"github.com/kubernetes-sigs/kro/cmd/controller@{versions.KRO}"},
    "2 min",
)
