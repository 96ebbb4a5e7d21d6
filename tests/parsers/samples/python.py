"""Cart totals. INSTRING"""
from dataclasses import dataclass

from .prices import Price as Amount

LIMIT = 3


@dataclass
class Item(Base):
    name: str
    price: float


def total(items: list[Item], tax: float = 0.2) -> float:
    # INCOMMENT prices are net
    subtotal = 0.0
    for item in items:
        INBLOCK = item.price
        subtotal += INBLOCK
    return round(subtotal * (1 + tax))
