"""`storefront serve | --help`."""

from shopkit.app import command_line
from storefront.app import create_app
from storefront.settings import StorefrontSettings


def main() -> None:
    command_line(StorefrontSettings, create_app, package="storefront")


if __name__ == "__main__":
    main()
