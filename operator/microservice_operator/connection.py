"""Where the API server is and who we are: the pod's service account, or a kubeconfig."""

import base64
import ssl
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from microservice_operator.errors import OperatorError

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FRESH = 60.0  # seconds a token that was read is trusted; the kubelet rotates the file hourly


class NoConnection(OperatorError):
    """Neither a service account nor a usable kubeconfig."""


@dataclass(slots=True)
class Token:
    """A bearer token; one from a file is read again, so that its rotation needs no new login."""

    value: str = ""
    path: Path | None = None
    _read_at: float = field(default=float("-inf"), repr=False)

    def header(self) -> str:
        if self.path and time.monotonic() - self._read_at > FRESH:
            self.value = self.path.read_text().strip()
            self._read_at = time.monotonic()
        return f"Bearer {self.value}"

    def expire(self) -> None:
        """Read the file again next time: the server refused what we have."""
        self._read_at = float("-inf")


@dataclass(frozen=True, slots=True)
class Connection:
    server: str  # https://host:port, without a trailing slash
    tls: ssl.SSLContext | None
    token: Token | None
    namespace: str


def connect(kubeconfig: str | None, host: str, port: str) -> Connection:
    """An explicit kubeconfig wins over the service account of the pod at `host`:`port`."""
    if kubeconfig:
        return from_kubeconfig(Path(kubeconfig).expanduser())
    if host and (ACCOUNT / "token").exists():
        return from_service_account(host, port or "443")
    raise NoConnection(
        "no way to the Kubernetes API: run inside a pod with a service account token, "
        "or set KUBECONFIG to a kubeconfig file"
    )


def from_service_account(host: str, port: str) -> Connection:
    address = f"[{host}]" if ":" in host else host
    return Connection(
        server=f"https://{address}:{port}",
        tls=_tls(ca=(ACCOUNT / "ca.crt").read_bytes()),
        token=Token(path=ACCOUNT / "token"),
        namespace=(ACCOUNT / "namespace").read_text().strip(),
    )


def from_kubeconfig(path: Path) -> Connection:
    try:
        config = yaml.safe_load(path.read_text())
        context = _named(config, "context", config["current-context"])
        cluster = _named(config, "cluster", context["cluster"])
        user = _named(config, "user", context["user"])
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise NoConnection(f"kubeconfig {path} cannot be used: {error!r}") from error
    if "exec" in user or "auth-provider" in user:
        raise NoConnection(
            f"kubeconfig {path} logs in with a plugin, which is not supported: "
            "use a client certificate, a token or a tokenFile"
        )
    server = str(cluster["server"]).rstrip("/")
    return Connection(
        server=server,
        tls=_user_tls(path, cluster, user) if server.startswith("https") else None,
        token=_user_token(path, user),
        namespace=context.get("namespace", "default"),
    )


def _named(config: dict[str, Any], what: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(e[what] for e in config[f"{what}s"] if e["name"] == name) or {}
    return found


def _user_token(path: Path, user: dict[str, Any]) -> Token | None:
    if "tokenFile" in user:
        return Token(path=path.parent / user["tokenFile"])
    return Token(value=user["token"]) if "token" in user else None


def _user_tls(path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    context = _tls(ca=_data(path, cluster, "certificate-authority"))
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = _data(path, user, "client-certificate"), _data(path, user, "client-key")
    if certificate and key:
        _load_pair(context, certificate, key)
    return context


def _data(path: Path, section: dict[str, Any], name: str) -> bytes | None:
    if inline := section.get(f"{name}-data"):
        return base64.b64decode(str(inline))
    if file := section.get(name):
        return (path.parent / str(file)).read_bytes()
    return None


def _tls(ca: bytes | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca.decode() if ca else None)
    # Python 3.13 refuses CAs without an authority key identifier, which clusters do have.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # The ssl module reads a key only from a file; this one is gone before we return.
    with tempfile.NamedTemporaryFile() as pair:
        pair.write(key + b"\n" + certificate)
        pair.flush()
        context.load_cert_chain(pair.name)
