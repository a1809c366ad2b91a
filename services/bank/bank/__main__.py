"""`bank serve` and `bank migrate`."""

from bank.app import create_app
from bank.settings import BankSettings
from shopkit.app import command_line


def main() -> None:
    command_line(BankSettings, create_app, package="bank")


if __name__ == "__main__":
    main()
