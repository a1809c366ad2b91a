"""What we applied is what we read back: the digest of what we own equals that of the manifest.

Everything the operator decides rests on this. Each child kind is proven with the golden cases and
with generated specs, created and applied again as the operator does it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from tests.api.server import LEFT_ALONE, ApiServer, fresh_namespace
from tests.api.world import EVERY_KIND
from tests.golden.golden_cases import CASES, MODULES, read
from tests.specs import specs

from microservice_operator import names, owned
from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService
from microservice_operator.desired import KINDS, desired, record
from microservice_operator.observed import Manifest, Observed

pytestmark = pytest.mark.api

NOTHING = Observed(now="2026-01-01T00:00:00Z", children={})
SETTINGS = Platform.model_validate(
    {
        "gateway": {"name": "public", "namespace": "gateway", "podLabels": {"app": "traefik"}},
        "monitoring": {"namespace": "monitoring", "labels": {"release": "prometheus"}},
    }
)
GOLDEN = [path for path in CASES if "error" not in read(path).outcome]
GENERATED = settings(
    max_examples=int(os.environ.get("EXAMPLES", "10")),
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # a smaller seed is no simpler spec
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def quiet(api_server: ApiServer) -> Iterator[str]:
    """A namespace in which no pod can be made: these specs are for reading, not for running."""
    with fresh_namespace(api_server) as namespace:
        yield _without_pods(api_server, namespace)


def _without_pods(api_server: ApiServer, namespace: str) -> str:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "no-pods"},
        "spec": {"hard": {"pods": "0"}},
    }
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    api_server.request("POST", path, json=quota).raise_for_status()
    return namespace


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_golden_case_reads_back_as_it_was_applied(
    api_server: ApiServer, quiet: str, path: Path
) -> None:
    case = read(path)
    platform = Platform.model_validate(case.platform)
    service = _create(api_server, quiet, case.body["spec"])
    builder = MODULES[path.parent.name]
    for manifest in builder.build(service, NOTHING, platform):
        _prove(api_server, builder.KIND, manifest)


def test_generated_specs_read_back_as_they_were_applied(api_server: ApiServer, quiet: str) -> None:
    kinds: set[str] = set()

    @GENERATED
    @example({"image": "shop/orders:1", **EVERY_KIND})
    @given(specs())
    def prove(spec: dict[str, Any]) -> None:
        service = _create(api_server, quiet, spec)
        for kind, manifest in desired(service, NOTHING, SETTINGS):
            _prove(api_server, kind, manifest)
            kinds.add(kind.kind)

    prove()
    assert kinds == set(KINDS), "every kind was among them"


def _create(server: ApiServer, namespace: str, spec: dict[str, Any]) -> MicroService:
    """A real owner, else the garbage collector would take the children away."""
    body = {
        "apiVersion": MICROSERVICE.api_version,
        "kind": MICROSERVICE.kind,
        "metadata": {"name": f"s-{uuid4().hex[:8]}", "annotations": LEFT_ALONE},
        "spec": spec,
    }
    answer = server.request("POST", MICROSERVICE.path(namespace), json=body)
    assert answer.status_code == 201, answer.json()["message"]
    return MicroService.parse(answer.json())


def _prove(server: ApiServer, kind: Kind, manifest: Manifest) -> None:
    """Created, then applied once more: the second answer shows what was stored."""
    path = kind.path(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
    created = server.apply(path, _with(manifest, resourceVersion="1"), names.MANAGER)
    assert created.status_code == 201, created.json()["message"]
    first = record(kind, created.json())
    again = server.apply(path, _with(manifest, uid=first.uid), names.MANAGER)
    assert again.status_code == 200, again.json()["message"]
    for live in (created.json(), again.json()):
        assert owned.cut(live, names.MANAGER) == _owned_part(manifest)
        assert record(kind, live).owned == owned.wanted(manifest)
    # Controllers may write in between, so it is the generation that would show a change of ours.
    assert again.json()["metadata"].get("generation") == created.json()["metadata"].get(
        "generation"
    )


def _owned_part(manifest: Manifest) -> Manifest:
    kept = ("labels", "ownerReferences")
    metadata = {key: manifest["metadata"][key] for key in kept}
    body = {key: value for key, value in manifest.items() if key not in ("apiVersion", "kind")}
    return body | {"metadata": metadata}


def _with(manifest: Manifest, **metadata: str) -> Manifest:
    return manifest | {"metadata": manifest["metadata"] | metadata}
