"""What we applied is what we read back: the digest of what we own equals that of the manifest.

Everything the operator decides rests on this. Each child kind is proven with the golden cases and
with generated specs, applied as the operator does it.
"""

from typing import Any

import pytest
import yaml
from conftest_api import ApiServer
from golden.golden_cases import CASES, read
from hypothesis import HealthCheck, given, settings
from specs import specs

from microservice_operator import names, owned
from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService
from microservice_operator.desired import KINDS, desired, record
from microservice_operator.observed import Manifest, Observed, Record

pytestmark = pytest.mark.api
EMPTY = Observed(now="2026-01-01T00:00:00Z", children={})
SETTINGS = Platform.model_validate(
    {
        "gateway": {"name": "public", "namespace": "gateway", "podLabels": {"app": "traefik"}},
        "monitoring": {"namespace": "monitoring", "labels": {"release": "prometheus"}},
    }
)
EXPENSIVE = settings(
    max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
GOLDEN = [path for path in CASES if "error" not in read(path).outcome]
