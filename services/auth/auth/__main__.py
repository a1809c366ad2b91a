"""`auth serve | migrate | --help`."""

from auth.app import create_app
from auth.settings import AuthSettings
from shopkit.app import command_line


def main() -> None:
    command_line(AuthSettings, create_app, package="auth")


if __name__ == "__main__":
    main()
