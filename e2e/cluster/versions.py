"""Every version that is not in a go.mod of modules/ or in uv.lock."""

KUBERNETES = "v1.35.4"  # as in modules/kubernetes/go.mod
KIND = "v0.33.0"
HELM = "v4.3.1"
METRICS_SERVER = "v0.9.0"
KWOK = "v0.8.0"
KRO = "v0.9.4"
GATEWAY_API = "v1.6.3"
TRAEFIK = "3.7.15"
NATS = "2.15.1"
POSTGRES = "17"
PYTHON = "3.13"
NODE_SUITE = "bookworm"  # Debian with systemd 252 and containerd 1.6: both still take cgroup v1
IMAGE_SUITE = "trixie"  # Debian with Python 3.13 and PostgreSQL 17
