"""Settings from the environment and mounted files: the one home of the environment."""

import os
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

_TIMINGS = (
    "relay_lease",
    "relay_poll",
    "ack_wait",
    "saga_lease",
    "saga_poll",
    "resend_first",
    "resend_max",
    "saga_deadline",
    "drain_grace",
)


class _Files(PydanticBaseSettingsSource):
    """Field `x` from the file that X_FILE names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{field_name.upper()}_FILE")
        if path is None:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except OSError as error:
            message = f"{field_name.upper()}_FILE={path} cannot be read: {error.strerror}"
            raise SystemExit(message) from error

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        values = {name: self.get_field_value(info, name)[0] for name, info in fields.items()}
        return {name: value for name, value in values.items() if value is not None}


class Settings(BaseSettings):
    """What every service takes; a service adds its own fields in a subclass. Times in seconds."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: SecretStr | None = None
    nats_url: SecretStr | None = None
    http_host: str = "0.0.0.0"
    http_port: int = Field(8080, ge=0, le=65535)
    admin_port: int = Field(9090, ge=0, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    token_jwks: SecretStr | None = None
    idempotency_key: SecretStr | None = None
    data_dir: Path = Path("data")
    consumers: bool = True
    trusted_proxies: str = "127.0.0.1"  # whose X-Forwarded-For counts; "*" behind a gateway
    shop_faults: bool = False  # fault switches on the admin port; never where money is real
    # A collector's base URL: spans go there by OTLP over HTTP. Empty: nowhere.
    otel_exporter_otlp_endpoint: str | None = Field(None, pattern=r"^(https?://\S+)?$")
    sqlite_synchronous: Literal["FULL", "NORMAL"] = "FULL"

    drain_grace: float = Field(5, ge=0)
    drain_timeout: float = Field(20, ge=0)
    lock_timeout: float = Field(2, gt=0)
    relay_lease: float = Field(5, gt=0)
    relay_poll: float = Field(1, gt=0)
    ack_wait: float = Field(10, gt=0)
    handler_tries: int = Field(3, ge=1)
    consumer_batch: int = Field(32, ge=1)
    # Half the pool: handlers that wait for a hot row must not starve the requests.
    consumer_concurrency: int = Field(2, ge=1)
    saga_lease: float = Field(5, gt=0)
    saga_poll: float = Field(0.5, gt=0)
    resend_first: float = Field(3, gt=0)
    resend_max: float = Field(60, gt=0)
    saga_deadline: float = Field(900, gt=0)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _Files(settings_cls)

    def faster(self, factor: float) -> Self:
        """A copy whose timings are divided by `factor`; counts and time-outs stay."""
        return self.model_copy(update={name: getattr(self, name) / factor for name in _TIMINGS})

    def url_of(self, service: str) -> str:
        """Where the service's own database is: DATABASE_URL, else a SQLite file in DATA_DIR."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_dir / service}.db"
