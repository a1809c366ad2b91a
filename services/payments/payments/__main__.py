"""`payments serve` and `payments migrate`."""

from payments.app import create_app
from payments.settings import PaymentsSettings
from shopkit.app import command_line


def main() -> None:
    command_line(PaymentsSettings, create_app, package="payments")


if __name__ == "__main__":
    main()
