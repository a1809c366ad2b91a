"""Kind: how the API server names a resource."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A namespaced resource, such as `Kind("apps/v1", "Deployment", "deployments")`."""

    api_version: str
    kind: str
    plural: str
    optional: bool = False  # its CRD may be missing: reported as Skipped, never an error

    @property
    def group(self) -> str:
        """API group, "" for core."""
        return self.api_version.rpartition("/")[0]

    @property
    def resource(self) -> str:
        """`deployments.apps`, as in RBAC messages and CRD names."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The URL path of the collection (one namespace or all) or of one object."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        scope = f"{root}/namespaces/{namespace}" if namespace else root
        return f"{scope}/{self.plural}/{name}" if name else f"{scope}/{self.plural}"


GROUP = "microservice.dev"
VERSION = "v1alpha1"
MICROSERVICE = Kind(f"{GROUP}/{VERSION}", "MicroService", "microservices")
