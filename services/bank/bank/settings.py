"""Settings of the bank; times in seconds."""

from pydantic import Field, SecretStr

from shopkit.settings import Settings


class BankSettings(Settings):
    """`public_url` is where a browser finds the shop and the bank's page."""

    bank_secret: SecretStr | None = None
    webhook_secret: SecretStr | None = None
    webhook_url: str | None = None
    public_url: str = "http://127.0.0.1:8080"

    slow_seconds: float = Field(2, ge=0)
    hang_seconds: float = Field(30, ge=0)
    webhook_spread: float = Field(2, ge=0)
    webhook_poll: float = Field(1, gt=0)
    webhook_retry: float = Field(2, gt=0)
    key_hours: float = Field(24, gt=0)
