"""Column types that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class TimestampType(TypeDecorator[datetime]):
    """Aware UTC datetimes. SQLite keeps integer microseconds: comparable and exact."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        integers = dialect.name == "sqlite"
        return dialect.type_descriptor(sa.BigInteger() if integers else sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if isinstance(value, int):
            return _EPOCH + value * _MICROSECOND
        return None if value is None else value.astimezone(UTC)


Timestamp = TimestampType()
Id = sa.Uuid(as_uuid=False)
Json = sa.JSON().with_variant(JSONB(), "postgresql")
