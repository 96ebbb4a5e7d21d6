"""No automatic suggestion calls a method that the receiver's class has not, where the repository knows the class."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from completion.candidate import Candidate
from completion.filters.members import invented_member
from completion.pipeline import complete
from completion.types import Outcome, Trigger
from lsp_server.index.build import bring_up_to_date
from lsp_server.workspace.repository import Repository
from tests.fakes import ScriptedEngine, deps_with, request_at

_FILES = {
    "shop/customers.py": """
class Entity:
    def save(self): ...


class Customer(Entity):
    def __init__(self, name):
        self.name = name
        self.notify = print

    def rename(self, name): ...


class Refund:
    def approve_quickly(self): ...


class Proxy:
    def __getattr__(self, name): ...


class Form(lib.Form):
    def fill(self): ...
""",
    "shop/order.go": """package shop

type Order struct {
	Id int
}

func (o *Order) Total() int { return 1 }
""",
    "shop/cart.ts": "export class Cart {\n  items = [];\n  add(item: string) {}\n  get total() { return 1; }\n}\n",
    "shop/Box.java": "package shop;\n\nclass Box {\n    void open() {}\n}\n",
}


@pytest.fixture
def repository(tiny_cache: Path, tmp_path: Path) -> Repository:
    root = tmp_path / "w"
    for name, text in _FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    bring_up_to_date(root, Console(quiet=True))
    return Repository.open(root)


_SHOP = "from shop.customers import Customer, Refund, Proxy, Form\n\n"


@pytest.mark.parametrize(
    ("language", "marked", "says"),
    [
        ("python", _SHOP + "def f(customer: Customer):\n    ▮\n", "customer.rename_refund(1)"),
        ("python", _SHOP + "def f(customer: Customer):\n    customer.▮\n", "rename_refund(1)"),
        ("python", _SHOP + "c = Customer('a')\nc.▮\n", "approve_quickly()"),  # another class has it
        ("python", _SHOP + "def f(customer):\n    customer.re▮\n", "name_refund(1)"),  # called like its class
        ("python", _SHOP + "def f():\n    ▮\n", "customer = Customer('a')\n    customer.rename_refund(1)"),
        ("python", "class Gift(Customer):\n    def f(self):\n        ▮\n", "customer.wrap_nicely()"),
        ("go", "package shop\n\nfunc f(order *Order) {\n\torder.▮\n}\n", "Discard()"),
        ("typescript", "import { Cart } from './cart';\n\nconst cart = new Cart();\ncart.▮\n", "checkoutNow();"),
        ("java", "class A {\n    void f(Box box) {\n        box.▮\n    }\n}\n", "closeTightly();"),
    ],
)
def test_a_method_that_its_class_has_not(repository: Repository, language: str, marked: str, says: str) -> None:
    request = request_at(marked, language=language, trigger=Trigger.AUTOMATIC)
    deps = replace(deps_with(ScriptedEngine([says])), names_of=lambda uri: repository)
    completion = asyncio.run(complete(deps, request))
    assert (completion.text, completion.outcome) == ("", Outcome.FILTERED)
    assert "has no such method" in completion.reason
    asked = asyncio.run(complete(deps, replace(request, trigger=Trigger.INVOKED)))
    assert asked.text


@pytest.mark.parametrize(
    ("language", "marked", "says"),
    [
        ("python", _SHOP + "def f(customer: Customer):\n    ▮\n", "customer.rename('b')\n    customer.save()"),
        ("python", _SHOP + "def f(customer: Customer):\n    ▮\n", "customer.notify(1)"),  # a field that is a function
        ("python", _SHOP + "def f(proxy: Proxy):\n    ▮\n", "proxy.whatever_it_is()"),
        ("python", _SHOP + "def f(form: Form):\n    ▮\n", "form.is_valid_somehow()"),  # of the library
        ("python", "from other import Customer\n\ndef f(customer: Customer):\n    ▮\n", "customer.whatever_it_is()"),
        ("python", _SHOP + "def f(customer: Customer):\n    customer = load()\n    ▮\n", "customer.whatever_it_is()"),
        ("python", _SHOP + "for customer in load():\n    ▮\n", "customer.whatever_it_is()"),
        ("python", _SHOP + "c: list[Customer] = []\n▮\n", "c.whatever_it_is()"),
        ("python", _SHOP + "c: Customer | None = None\n▮\n", "c.whatever_it_is()"),
        ("python", "c = Customer('a')\n▮\n", "c.whatever_it_is()"),  # not imported: somebody else's
        ("python", "import customer\n\n▮\n", "customer.whatever_it_is()"),
        ("python", _SHOP + "c = Customer('a')\nc.extra_one()\n▮\n", "c.extra_one()"),  # said before
        ("python", _SHOP + "c = Customer('a')\n▮\n", "text = 'c.whatever_it_is()'"),
        ("python", _SHOP + "c = Customer('a')\n▮\n", "c.name.whatever_it_is()"),
        ("python", "class Customer:\n    def soon_there(self): ...\n\nc = Customer()\n▮\n", "c.soon_there()"),
        ("python", "class Unheard:\n    pass\n\nu = Unheard()\n▮\n", "u.whatever_it_is()"),
        ("go", "package shop\n\nfunc f(order *Order) {\n\t▮\n}\n", "order.Total()"),
        ("typescript", "import { Cart } from './cart';\n\nconst cart = new Cart();\n▮\n", "cart.add('a');"),
        ("java", "class A {\n    void f(Box box) {\n        ▮\n    }\n}\n", "box.hashCode();"),
    ],
)
def test_other_calls_are_none_of_its_business(repository: Repository, language: str, marked: str, says: str) -> None:
    assert invented_member(Candidate(says), request_at(marked, language=language), repository) == ""


def test_without_an_index_nothing_is_said(tiny_cache: Path, tmp_path: Path) -> None:
    request = request_at(_SHOP + "c = Customer('a')\n▮\n")
    assert invented_member(Candidate("c.whatever_it_is()"), request, Repository.open(tmp_path)) == ""
    assert invented_member(Candidate("c.whatever_it_is()"), request, None) == ""
