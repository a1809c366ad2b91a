"""Quantities in the form the API server stores."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microservice_operator.api.quantity import PATTERN, amount, canonical


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("0", "0"),
        ("0Mi", "0"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("0.5", "500m"),
        ("1.5", "1500m"),
        ("1000", "1k"),
        ("1024", "1024"),
        ("2000000", "2M"),
        ("1000k", "1M"),
        ("1024Ki", "1Mi"),
        ("1.5Gi", "1536Mi"),
        ("1000Mi", "1000Mi"),
        ("1023Ki", "1023Ki"),
        ("0.5Ki", "512"),
        ("0.001Ki", "1024m"),
        ("1.001Ki", "1026"),
        ("128974848", "128974848"),
    ],
)
def test_a_quantity_is_written_as_the_server_writes_it(written: str, stored: str) -> None:
    assert canonical(written) == stored


@given(st.from_regex(PATTERN, fullmatch=True, alphabet=st.characters(codec="ascii")))
def test_the_canonical_form_is_stable_and_means_the_same(written: str) -> None:
    written = written.rstrip("\n")
    if amount(written) > 2**63 - 1:
        with pytest.raises(ValueError, match="larger than Kubernetes can hold"):
            canonical(written)
        return
    stored = canonical(written)
    assert canonical(stored) == stored
    assert 0 <= amount(stored) - amount(written) < Fraction(1)
