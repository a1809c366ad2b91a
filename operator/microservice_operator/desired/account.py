"""ServiceAccount: an identity of its own that may do nothing."""

from microservice_operator import names
from microservice_operator.api.kinds import Kind
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService
from microservice_operator.observed import Manifest, Observed

KIND = Kind("v1", "ServiceAccount", "serviceaccounts")


def build(service: MicroService, observed: Observed, platform: Platform) -> list[Manifest]:
    if service.spec.service_account_name:
        return []
    token = service.spec.automount_service_account_token
    return [names.child(KIND, service, automountServiceAccountToken=token)]
