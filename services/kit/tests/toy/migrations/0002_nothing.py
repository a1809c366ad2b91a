revision, down_revision = "2", "1"


def upgrade() -> None:
    """There only to be a second one."""
