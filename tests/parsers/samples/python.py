"""Cart totals. INSTRING"""
from dataclasses import dataclass


@dataclass
class Item:
    name: str
    price: float


def total(items: list[Item], tax: float = 0.2) -> float:
    # INCOMMENT prices are net
    subtotal = 0.0
    for item in items:
        INBLOCK = item.price
        subtotal += INBLOCK
    return subtotal * (1 + tax)
