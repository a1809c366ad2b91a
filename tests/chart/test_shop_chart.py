"""The shop as its team would write it: valid for operator and API server, nothing dangling."""

import importlib
from collections.abc import Iterator

import pytest
from jsonschema import Draft202012Validator
from tests.chart.rendered import SHOP, Manifest, Render, live, of_kind, only

from microservice_operator.api.service import MicroService
from shop.cluster_secrets import Namespaces, secret_list
from shopkit.settings import Settings

SERVICES = ("auth", "bank", "catalog", "orders", "payments", "storefront")
SECRETS = {  # name -> keys, in the namespace of the shop
    secret["metadata"]["name"]: secret["stringData"].keys()
    for secret in secret_list(Namespaces())["items"]
    if secret["metadata"]["namespace"] == Namespaces().shop
}
PATHS = {  # every public path, and the service that answers it
    "/api/v1/users": "auth",
    "/api/v1/tokens": "auth",
    "/.well-known/jwks.json": "auth",
    "/api/v1/products": "catalog",
    "/api/v1/stock": "catalog",
    "/api/v1/quotes": "catalog",
    "/.well-known/quote-keys.json": "catalog",
    "/api/v1/cart": "orders",
    "/api/v1/orders": "orders",
    "/api/v1/payments": "payments",
    "/api/v1/payment-methods": "payments",
    "/api/v1/webhooks": "payments",
    "/bank/3ds": "bank",
    "/": "storefront",
}


@pytest.fixture(scope="module")
def shop(render: Render) -> dict[str, Manifest]:
    """The MicroServices of the chart by name."""
    return {each["metadata"]["name"]: each for each in of_kind("MicroService", render(SHOP))}


def test_the_chart_holds_microservices_and_one_volume_claim(render: Render) -> None:
    manifests = render(SHOP)
    assert sorted(each["metadata"]["name"] for each in of_kind("MicroService", manifests)) == list(
        SERVICES
    )
    claim = only("PersistentVolumeClaim", manifests)
    assert claim["metadata"]["name"] == "bank-data"
    assert len(manifests) == len(SERVICES) + 1


@pytest.mark.parametrize("name", SERVICES)
def test_the_operator_accepts_it(shop: dict[str, Manifest], name: str) -> None:
    assert MicroService.parse(live(shop[name])).name == name


@pytest.mark.parametrize("name", SERVICES)
def test_the_schema_of_the_crd_accepts_it_and_knows_every_field(
    shop: dict[str, Manifest], schema: Draft202012Validator, name: str
) -> None:
    schema.validate(shop[name]["spec"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_secret_it_reads_is_one_that_shop_secrets_makes(
    shop: dict[str, Manifest], name: str
) -> None:
    spec = shop[name]["spec"]
    for secret, key in secret_keys(spec):
        assert key in SECRETS[secret]
    for volume in spec.get("volumes", []):
        assert "secret" not in volume or volume["secret"]["secretName"] in SECRETS


def secret_keys(spec: Manifest) -> Iterator[tuple[str, str]]:
    for holder in (spec, *spec.get("initContainers", [])):
        for variable in holder.get("env", []):
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                yield reference["name"], reference["key"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_file_named_in_the_environment_is_mounted(
    shop: dict[str, Manifest], name: str
) -> None:
    spec = shop[name]["spec"]
    mounted = {mount["mountPath"] for mount in spec.get("volumeMounts", [])}
    named = {each["name"]: each.get("value", "") for each in spec["env"]}
    for variable, path in named.items():
        if variable.endswith("_FILE"):
            folder, _, key = path.rpartition("/")
            assert folder in mounted
            assert key in SECRETS[folder.rpartition("/")[2]]


def test_every_public_path_goes_to_the_service_that_owns_it(shop: dict[str, Manifest]) -> None:
    routed = {
        match["path"]["value"]: name
        for name, each in shop.items()
        for route in each["spec"]["routes"]
        for match in route["matches"]
    }
    assert routed == PATHS


@pytest.mark.parametrize("name", SERVICES)
def test_a_routed_path_is_one_the_service_answers(shop: dict[str, Manifest], name: str) -> None:
    answered: tuple[str, ...] = getattr(importlib.import_module(f"{name}.app"), "PATHS", ("/",))
    routed = [path for path, owner in PATHS.items() if owner == name]
    assert all(any(path.startswith(root) for root in answered) for path in routed)


@pytest.mark.parametrize("name", SERVICES)
def test_the_service_knows_every_variable_it_is_given(shop: dict[str, Manifest], name: str) -> None:
    settings = getattr(importlib.import_module(f"{name}.settings"), f"{name.capitalize()}Settings")
    known: set[str] = {field.upper() for field in settings.model_fields}
    given = {variable["name"].removesuffix("_FILE") for variable in shop[name]["spec"]["env"]}
    assert given <= known


@pytest.mark.parametrize("level", ["debug", "warning"])
def test_the_log_level_is_one_the_services_accept(render: Render, level: str) -> None:
    for each in of_kind("MicroService", render(SHOP, "--set", f"logLevel={level}")):
        (value,) = (v["value"] for v in each["spec"]["env"] if v["name"] == "LOG_LEVEL")
        assert Settings(log_level=value).log_level == level.upper()


def test_no_route_reaches_an_admin_port(shop: dict[str, Manifest]) -> None:
    ports = {route["port"] for each in shop.values() for route in each["spec"]["routes"]}
    assert ports == {"http"}


def test_only_who_has_to_reach_a_service_may(shop: dict[str, Manifest]) -> None:
    """The page /ops asks admin ports, which no route exposes."""
    callers = {
        name: [
            (peer["podSelector"]["matchLabels"]["microservice.dev/name"], port["port"])
            for rule in each["spec"]["access"].get("ingress", [])
            for peer in rule["from"]
            for port in rule["ports"]
        ]
        for name, each in shop.items()
    }
    ops = ("storefront", "admin")
    assert callers == {
        "auth": [ops],
        "catalog": [ops],
        "orders": [ops],
        "payments": [("bank", "http"), ops],
        "bank": [("payments", "http")],
        "storefront": [],
    }


def test_traces_are_sent_where_they_are_wanted_and_nowhere_else(
    render: Render, shop: dict[str, Manifest], schema: Draft202012Validator
) -> None:
    """The operator knows the collector and sets the variables that the services read."""
    wanted = render(SHOP, "--set", "tracing.enabled=true,tracing.samplingRatio=0.1")
    for each in of_kind("MicroService", wanted):
        schema.validate(each["spec"])
        untraced = shop[each["metadata"]["name"]]["spec"]
        observed = {**untraced["observability"], "tracing": {"samplingRatio": "0.1"}}
        assert each["spec"] == {**untraced, "observability": observed}
    assert not any("tracing" in each["spec"]["observability"] for each in shop.values())


def test_fault_switches_are_off_in_a_cluster(shop: dict[str, Manifest]) -> None:
    names = {env["name"] for each in shop.values() for env in each["spec"].get("env", [])}
    assert "SHOP_FAULTS" not in names


def test_a_service_that_scales_by_cpu_asks_for_cpu(shop: dict[str, Manifest]) -> None:
    scaled = {name: e["spec"] for name, e in shop.items() if "autoscaling" in e["spec"]}
    sizes = {
        name: (spec["autoscaling"]["minReplicas"], spec["autoscaling"]["maxReplicas"])
        for name, spec in scaled.items()
    }
    assert sizes == {"auth": (2, 4), "catalog": (2, 6), "orders": (2, 6)}
    assert all(spec["resources"]["requests"]["cpu"] for spec in scaled.values())


def test_the_bank_is_never_run_twice_on_one_ledger(shop: dict[str, Manifest]) -> None:
    spec = shop["bank"]["spec"]
    assert (spec["replicas"], spec["rollout"]) == (1, {"strategy": "Recreate"})


def test_all_images_come_from_one_registry_and_tag(render: Render) -> None:
    manifests = render(SHOP, "--set", "image.registry=example.com/shop,image.tag=1.2-abc")
    for each in of_kind("MicroService", manifests):
        name, spec = each["metadata"]["name"], each["spec"]
        images = {spec["image"], *(init["image"] for init in spec.get("initContainers", []))}
        assert images == {f"example.com/shop/{name}:1.2-abc"}


def test_the_bank_runs_on_any_node_of_a_cluster_without_such_a_label(render: Render) -> None:
    manifests = render(SHOP, "--set", "bank.nodeSelector=null")
    bank = next(e for e in of_kind("MicroService", manifests) if e["metadata"]["name"] == "bank")
    assert "nodeSelector" not in bank["spec"]
