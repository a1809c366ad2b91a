"""What auth takes beyond every service's settings."""

from datetime import timedelta

from pydantic import Field, SecretStr

from shopkit.settings import Settings


class AuthSettings(Settings):
    """`x` is read from X or from the file that X_FILE names."""

    token_keys: SecretStr | None = None
    admin_email: str | None = None
    admin_password: SecretStr | None = None
    # Per address and minute, for logins and registrations each; one replica's view only.
    rate_limit: int = Field(300, ge=1)
    access_seconds: int = Field(600, ge=1)
    refresh_days: int = Field(30, ge=1)

    @property
    def refresh_lifetime(self) -> timedelta:
        return timedelta(days=self.refresh_days)
