"""`catalog serve` and `catalog migrate`."""

from catalog.app import create_app
from catalog.settings import CatalogSettings
from shopkit.app import command_line


def main() -> None:
    command_line(CatalogSettings, create_app, package="catalog")


if __name__ == "__main__":
    main()
