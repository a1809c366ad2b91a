import pytest

from microservice_operator.settings import InvalidSettings, read_settings


@pytest.mark.parametrize(
    ("given", "namespaces"),
    [
        ("", ()),
        ("shop", ("shop",)),
        ("shop,billing", ("shop", "billing")),
        (" shop , billing,", ("shop", "billing")),
        ("shop,shop", ("shop",)),
        ("a" * 63, ("a" * 63,)),
    ],
)
def test_namespaces_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, given: str, namespaces: tuple[str, ...]
) -> None:
    monkeypatch.setenv("NAMESPACES", given)
    assert read_settings().namespaces == namespaces


@pytest.mark.parametrize("name", ["Shop", "shop_1", "-shop", "shop.eu", "sho*", "a" * 64, "../x"])
def test_what_cannot_be_a_namespace_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("NAMESPACES", f"billing,{name}")
    with pytest.raises(InvalidSettings) as refused:
        read_settings()
    assert f"NAMESPACES: '{name}' is not the name of a namespace" in str(refused.value)
