"""Settings of catalog; times in seconds."""

from pydantic import Field, SecretStr

from shopkit.settings import Settings


class CatalogSettings(Settings):
    """`quote_keys` is the private JWK set that signs quotes."""

    quote_keys: SecretStr | None = None
    quote_seconds: int = Field(600, gt=0)
    list_cache: float = Field(2, ge=0)
