"""Settings of orders; times in seconds."""

from pydantic import Field, SecretStr

from shopkit.settings import Settings


class OrdersSettings(Settings):
    """`quote_jwks` is the public JWK set of catalog's quotes."""

    quote_jwks: SecretStr | None = None
    open_orders: int = Field(5, ge=1)
    events_poll: float = Field(0.5, gt=0)
    events_heartbeat: float = Field(15, gt=0)
