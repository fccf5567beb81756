"""The demo's messages: three topics of a shop, the same ones every time.

They have what real traffic has: nested objects, arrays, nulls, unicode, fields that appear only in later messages,
and numbers that are whole at first and decimals later.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

TOPICS = ("orders", "payments", "shipments")
_SHARES = {"orders": 0.4, "payments": 0.4, "shipments": 0.2}
_START = datetime(2026, 1, 1, tzinfo=UTC)
_CUSTOMERS = [
    "Zoë Müller",
    "李 小龍",
    "Ólafur Arnalds",
    "Amina Yusuf",
    "José Núñez",
    "Siân O’Brien",
    "Владимир К.",
    "😀 Co",
]
_CITIES = ["Łódź", "São Paulo", "Zürich", "東京", "Nairobi", "Reykjavík", "Galway"]
_ITEMS = ["kettle", "café crème cup", "notebook", "lamp", "bicycle bell", "tea 茶"]


@dataclass(frozen=True)
class DemoMessage:
    """A message to publish: its topic, its id, and its body before it becomes JSON."""

    topic: str
    message_id: str
    body: dict[str, Any]


def demo_messages(start: int, count: int, total: int) -> Iterator[DemoMessage]:
    """Messages `start` to `start + count` of the `total` that the demo knows, spread over the topics.

    The same arguments give the same messages. Fields that appear halfway do so after half of `total`.
    """
    for index in range(start, start + count):
        chance = random.Random(index)  # noqa: S311 - the demo wants the same messages every time
        topic = chance.choices(TOPICS, [_SHARES[topic] for topic in TOPICS])[0]
        is_late = index >= total // 2
        body = _BODIES[topic](index, chance, is_late)
        yield DemoMessage(topic=topic, message_id=f"{topic}-{index:06d}", body=body)


def _order(index: int, chance: random.Random, is_late: bool) -> dict[str, Any]:
    items = [
        {"sku": f"SKU-{chance.randrange(1000):04d}", "name": chance.choice(_ITEMS), "quantity": chance.randint(1, 5)}
        for _ in range(chance.randint(0, 4))
    ]
    order: dict[str, Any] = {
        "order_id": index,
        "placed_at": _timestamp(index),
        "customer": {
            "name": chance.choice(_CUSTOMERS),
            "email": f"customer{chance.randrange(500)}@example.com",
            "address": {"city": chance.choice(_CITIES), "postcode": None if index % 7 == 0 else f"{index % 99999:05d}"},
        },
        "items": items,
        # A whole number of euros at first, cents later: the column has to become wider.
        "total": round(chance.uniform(5, 900), 2) if is_late else chance.randint(5, 900),
        "is_gift": chance.random() < 0.1,
        "note": None if chance.random() < 0.8 else 'Leave it "by the door"\n— or at Zoë’s 🚪',
    }
    if is_late:
        order["loyalty_tier"] = chance.choice(["bronze", "silver", "gold", None])
    return order


def _payment(index: int, chance: random.Random, is_late: bool) -> dict[str, Any]:
    payment: dict[str, Any] = {
        "payment_id": f"pay_{index:08x}",
        "order_id": max(0, index - chance.randint(0, 50)),
        "amount_minor": 4_000_000_000 + index if index % 500 == 0 else chance.randint(100, 90_000),
        "currency": chance.choice(["EUR", "GBP", "JPY", "BRL"]),
        "method": {
            "type": chance.choice(["card", "transfer", "wallet"]),
            "last_four": f"{chance.randrange(10000):04d}",
        },
        "fee_rate": 0 if not is_late else round(chance.uniform(0, 0.03), 4),
        "captured": chance.random() < 0.97,
        "attempts": [{"at": _timestamp(index), "ok": True}],
    }
    if is_late:
        payment["risk"] = {
            "score": round(chance.random(), 3),
            "signals": ["new_device"] if chance.random() < 0.2 else [],
        }
    return payment


def _shipment(index: int, chance: random.Random, is_late: bool) -> dict[str, Any]:
    shipment: dict[str, Any] = {
        "tracking_code": f"TRK{index:09d}",
        "carrier": chance.choice(["DHL", "Chronopost", "Ямато", "An Post"]),
        "weight_kg": chance.randint(1, 30) if not is_late else round(chance.uniform(0.1, 30), 3),
        "route": [{"city": chance.choice(_CITIES), "lat": round(chance.uniform(-60, 60), 6)} for _ in range(3)],
        "delivered_at": None if chance.random() < 0.5 else _timestamp(index),
        "parcel": {},
    }
    if is_late:
        shipment["co2_grams"] = chance.randint(50, 5000)
    return shipment


_BODIES = {"orders": _order, "payments": _payment, "shipments": _shipment}


def _timestamp(index: int) -> str:
    return (_START + timedelta(seconds=37 * index)).isoformat().replace("+00:00", "Z")
