"""What one embedded shop keeps between runs: its keys, beside its databases."""

import os
import secrets
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from shopkit.auth import Signer, new_keys

ADMIN_EMAIL = "admin@shop.example"
FILE = "keys.json"


class Installation(BaseModel):
    """Made at the first start; private JWK sets and random texts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token_keys: str
    quote_keys: str
    idempotency_key: str
    bank_secret: str
    webhook_secret: str
    admin_password: str

    @classmethod
    def new(cls) -> Self:
        return cls(
            token_keys=new_keys(),
            quote_keys=new_keys(),
            idempotency_key=secrets.token_urlsafe(32),
            bank_secret=secrets.token_urlsafe(32),
            webhook_secret=secrets.token_urlsafe(32),
            admin_password=secrets.token_urlsafe(12),
        )

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """The one that is there, else a new one. Raises SystemExit with what to do."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = folder / FILE
            return cls._read(path) if path.exists() else cls.new()._written(path)
        except OSError as error:
            message = f"{folder} cannot be used ({error.strerror}); choose another with --data"
            raise SystemExit(message) from error

    @classmethod
    def _read(cls, path: Path) -> Self:
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValueError as error:
            message = f"{path} is not a keys file of this shop; move the folder away to start anew"
            raise SystemExit(message) from error

    def _written(self, path: Path) -> Self:
        """Whole or not at all: half a file would lock the databases' owner out."""
        half = path.with_suffix(".tmp")
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(self.model_dump_json(indent=2).encode())
            file.flush()
            os.fsync(file.fileno())
        half.rename(path)
        return self

    @property
    def token_jwks(self) -> str:
        return Signer.from_json(self.token_keys).jwks_json()

    @property
    def quote_jwks(self) -> str:
        return Signer.from_json(self.quote_keys).jwks_json()
