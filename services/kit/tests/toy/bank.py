"""A bank that charges an order once, however often it is asked."""

from collections import Counter

import httpx


class Bank(httpx.AsyncBaseTransport):
    """Stands in for the network between the seller and its bank."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.charged: set[str] = set()
        self.down = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("the bank is away")
        order_id = request.url.path.rsplit("/", 1)[-1]
        self.calls[order_id] += 1
        self.charged.add(order_id)
        return httpx.Response(200, json={"charged": order_id})
