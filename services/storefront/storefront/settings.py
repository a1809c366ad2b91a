"""Nothing beyond what every service takes."""

from shopkit.settings import Settings


class StorefrontSettings(Settings):
    """The pages call the other services from the browser, so there is no address to set."""
