"""What goes over HTTP."""

from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
)

from auth.domain import EMAIL_PATTERN, MAX_EMAIL, normal_email

Email = Annotated[
    str,
    AfterValidator(normal_email),
    WithJsonSchema({"type": "string", "maxLength": MAX_EMAIL, "pattern": EMAIL_PATTERN}),
    Field(examples=["kim@example.com"]),
]
Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, max_length=100, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$"
    ),
]
NewPassword = Annotated[SecretStr, Field(min_length=10, max_length=128)]
# Not the policy of new ones: an older password must still work after the policy changed.
GivenPassword = Annotated[SecretStr, Field(min_length=1, max_length=1024)]


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Registration(Strict):
    email: Email
    password: NewPassword
    name: Name


class Login(Strict):
    email: Email
    password: GivenPassword


class AccessToken(BaseModel):
    """OAuth 2's shape; the refresh token is in a cookie that scripts cannot read."""

    access_token: str
    token_type: str = "Bearer"
    expires_in: int


class Profile(BaseModel):
    id: str
    email: str
    name: str
    scopes: list[str]


class Rename(Strict):
    name: Name


class PasswordChange(Strict):
    current_password: GivenPassword
    new_password: NewPassword


class Accepted(BaseModel):
    """Says nothing, whether or not the address had an account."""
