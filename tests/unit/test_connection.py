import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml

from microservice_operator import connection
from microservice_operator.connection import NoConnection, Token, connect


def write(home: Path, user: dict[str, Any], server: str = "http://127.0.0.1:8001/") -> str:
    config = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
    }
    path = home / "config"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def test_a_kubeconfig_with_a_token_is_enough(tmp_path: Path) -> None:
    found = connect(write(tmp_path, {"token": "abc"}), "10.0.0.1", "443")
    assert found.server == "http://127.0.0.1:8001"
    assert found.token is not None
    assert found.token.header() == "Bearer abc"


def test_a_token_file_is_found_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    found = connect(write(tmp_path, {"tokenFile": "token"}), "", "")
    assert found.token is not None
    assert found.token.header() == "Bearer from-file"


def test_https_is_verified(tmp_path: Path) -> None:
    found = connect(write(tmp_path, {"token": "a"}, server="https://127.0.0.1:1"), "", "")
    assert found.tls is not None
    assert found.tls.verify_mode is ssl.CERT_REQUIRED
    assert found.tls.check_hostname


def test_a_login_plugin_is_refused_with_what_to_use_instead(tmp_path: Path) -> None:
    with pytest.raises(NoConnection, match="use a client certificate, a token or a tokenFile"):
        connect(write(tmp_path, {"exec": {"command": "aws"}}), "", "")


@pytest.mark.parametrize("text", ["", "current-context: x", "{", "clusters: []"])
def test_a_broken_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(NoConnection, match=str(path)):
        connect(str(path), "", "")


def test_without_anything_there_is_one_sentence() -> None:
    with pytest.raises(NoConnection, match="KUBECONFIG"):
        connect(None, "", "")


def test_a_pod_uses_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = ssl.create_default_context().get_ca_certs(binary_form=True)[0]
    (tmp_path / "token").write_text("in-cluster")
    (tmp_path / "namespace").write_text("microservice-operator")
    (tmp_path / "ca.crt").write_text(ssl.DER_cert_to_PEM_cert(authority))
    monkeypatch.setattr(connection, "ACCOUNT", tmp_path)
    found = connect(None, "fd00::1", "6443")
    assert found.server == "https://[fd00::1]:6443"
    assert found.namespace == "microservice-operator"


def test_a_token_is_read_again_only_when_it_is_old_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    token = Token(path=path)
    assert token.header() == "Bearer one"
    path.write_text("two")
    assert token.header() == "Bearer one"
    token.expire()
    assert token.header() == "Bearer two"
