"""Keeps stock levels of a small warehouse in memory."""

from dataclasses import dataclass, field


@dataclass
class Item:
    sku: str
    name: str
    quantity: int
    unit_price: float


@dataclass
class Warehouse:
    items: dict[str, Item] = field(default_factory=dict)

    def add(self, item: Item) -> None:
        """Add an item, or raise the quantity of one that is here already."""
        if item.sku in self.items:
            self.items[item.sku].quantity += item.quantity
        else:
            self.items[item.sku] = item

    def remove(self, sku: str, quantity: int) -> None:
        """Take some of an item out; ValueError when there is not enough of it."""
        item = self.items[sku]
        if item.quantity < quantity:
            raise ValueError(f"only {item.quantity} of {item.name} left")
        item.quantity -= quantity

    # The value of all items together: quantity times unit price.
    def total_value(self) -> float:
        ▮

    def low_stock(self, threshold: int) -> list[Item]:
        """Items of which there are fewer than `threshold`."""
        return [item for item in self.items.values() if item.quantity < threshold]
