"""Where the admin ports are; the pages themselves call the services from the browser."""

from shopkit.settings import Settings


class StorefrontSettings(Settings):
    """`admin_url`: of the services' admin ports, for /ops; `{service}` is replaced."""

    admin_url: str = "http://{service}:9090"
