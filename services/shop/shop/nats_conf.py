"""The broker's configuration: each service may send only its own messages."""

from collections.abc import Iterable, Mapping, Sequence

# What each service sends (and nobody else may): subjects of commands and replies.
PUBLISHES: Mapping[str, Sequence[str]] = {
    "auth": ("cmd.orders.v1.EraseUser", "cmd.payments.v1.EraseUser"),
    "catalog": (
        "reply.orders.v1.StockReserved",
        "reply.orders.v1.StockRejected",
        "reply.orders.v1.StockReleased",
        "reply.orders.v1.StockCommitted",
    ),
    "orders": (
        "cmd.catalog.v1.ReserveStock",
        "cmd.catalog.v1.ReleaseStock",
        "cmd.catalog.v1.CommitStock",
        "cmd.payments.v1.ChargePayment",
        "cmd.payments.v1.CancelCharge",
        "reply.auth.v1.UserErased",
    ),
    "payments": (
        "reply.orders.v1.Charged",
        "reply.orders.v1.Declined",
        "reply.orders.v1.ActionRequired",
        "reply.orders.v1.ChargeCancelled",
        "reply.auth.v1.UserErased",
    ),
}
STREAMS = ("CMD", "REPLY")


def permissions(service: str) -> dict[str, dict[str, list[str]]]:
    """No stream can be deleted, purged or changed, and no other service's consumer touched."""
    publish = [*PUBLISHES[service], "$JS.API.INFO"]
    for stream in STREAMS:
        publish += _on_stream(stream, service)
    return {
        "publish": {"allow": publish},
        "subscribe": {"allow": [f"_INBOX.{service}.>"]},
    }


def _on_stream(stream: str, service: str) -> Iterable[str]:
    kind = stream.lower()
    return (
        f"$JS.API.STREAM.INFO.{stream}",
        f"$JS.API.STREAM.CREATE.{stream}",
        f"$JS.API.CONSUMER.INFO.{stream}.{service}",
        f"$JS.API.CONSUMER.CREATE.{stream}.{service}.{kind}.{service}.>",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{service}",
        f"$JS.ACK.{stream}.{service}.>",
    )


def render(
    passwords: Mapping[str, str],
    *,
    store_dir: str = "/data",
    port: int = 4222,
    monitor_port: int = 8222,
) -> str:
    """`passwords` by service; they have to be letters, digits, `-` and `_`."""
    users = "\n".join(_user(service, password) for service, password in passwords.items())
    return f"""\
port: {port}
http_port: {monitor_port}
server_name: nats

jetstream {{
  store_dir: "{store_dir}"
  # A message that was acknowledged is on disk.
  sync_interval: always
}}

accounts {{
  shop {{
    jetstream: enabled
    users: [
{users}
    ]
  }}
}}
"""


def _user(service: str, password: str) -> str:
    rules = permissions(service)
    return f"""\
      {{
        user: {service}, password: "{password}"
        permissions {{
          publish {{ allow: [
{_listed(rules["publish"]["allow"])}
          ] }}
          subscribe {{ allow: [
{_listed(rules["subscribe"]["allow"])}
          ] }}
        }}
      }}"""


def _listed(subjects: Iterable[str]) -> str:
    return "\n".join(f'            "{subject}"' for subject in subjects)
