"""Settings of payments; times in seconds."""

from pydantic import Field, SecretStr

from shopkit.settings import Settings


class PaymentsSettings(Settings):
    """`public_url` is where browsers find the shop: the bank's page sends them back there."""

    bank_url: str = "http://bank:8080"
    public_url: str | None = None
    bank_secret: SecretStr | None = None
    webhook_secret: SecretStr | None = None

    provider_deadline: float = Field(5, gt=0)
    payment_lease: float = Field(8, gt=0)
    payment_poll: float = Field(1, gt=0)
    payment_workers: int = Field(8, ge=1)
    action_poll: float = Field(10, gt=0)
    retry_first: float = Field(1, gt=0)
    retry_max: float = Field(30, gt=0)
