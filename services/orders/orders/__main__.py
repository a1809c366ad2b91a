"""`orders serve` and `orders migrate`."""

from orders.app import create_app
from orders.settings import OrdersSettings
from shopkit.app import command_line


def main() -> None:
    command_line(OrdersSettings, create_app, package="orders")


if __name__ == "__main__":
    main()
