"""Fields of requests that every service reads the same way."""

from typing import Annotated

from pydantic import BeforeValidator, Field

# PostgreSQL's text cannot hold NUL: refused at the door, on every database.
NO_NUL = r"^[^\x00]*$"
Text = Annotated[str, Field(pattern=NO_NUL)]


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# JSON has one kind of number: 8.0 is the integer 8 (RFC 8259 6). The last part of a field that is
# strict otherwise: true and "8" are no integers.
WHOLE = BeforeValidator(_whole)
