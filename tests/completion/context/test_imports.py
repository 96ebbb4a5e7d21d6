"""What an import means, in every way of spelling one."""

import pytest

from completion.context.imports import matching, matching_folder, module_of, specs

FILES = (
    "src/shop/__init__.py",
    "src/shop/prices.py",
    "src/shop/util/json.py",
    "web/app/cart.ts",
    "web/app/lib/index.ts",
    "java/main/java/com/shop/Basket.java",
    "java/main/java/com/shop/Total.java",
    "native/include/shop/ring_buffer.h",
    "rust/src/store/mod.rs",
    "rust/src/store/disk.rs",
    "go/internal/store/store.go",
    "go/internal/store/disk.go",
    "lib/shop/order.rb",
    "app/Http/Kernel.php",
)


def meant(path: str, name: str, from_path: str) -> list[str]:
    candidates = specs(path, name, from_path)
    for spec in candidates:
        if found := matching(spec, FILES, from_path):
            return found
    for spec in candidates:
        if found := matching_folder(spec, FILES, from_path):
            return found
    return []


@pytest.mark.parametrize(
    ("path", "name", "from_path", "expected"),
    [
        (".prices", "tax", "src/shop/cart.py", "src/shop/prices.py"),
        (".", "prices", "src/shop/cart.py", "src/shop/prices.py"),
        ("..prices", "tax", "src/shop/util/json.py", "src/shop/prices.py"),
        ("shop.prices", "", "tests/test_prices.py", "src/shop/prices.py"),
        ("shop", "prices", "tests/test_prices.py", "src/shop/prices.py"),
        ("shop", "VERSION", "tests/test_prices.py", "src/shop/__init__.py"),
        ("./cart", "Cart", "web/app/main.ts", "web/app/cart.ts"),
        ("./cart.js", "Cart", "web/app/main.ts", "web/app/cart.ts"),
        ("./lib", "x", "web/app/main.ts", "web/app/lib/index.ts"),
        ("../cart", "Cart", "web/app/lib/index.ts", "web/app/cart.ts"),
        ("@/app/cart", "Cart", "web/other/main.ts", "web/app/cart.ts"),
        ("com.shop.Basket", "Basket", "java/main/java/com/bank/Pay.java", "java/main/java/com/shop/Basket.java"),
        ("com.shop.Basket.EMPTY", "", "java/main/java/com/bank/Pay.java", "java/main/java/com/shop/Basket.java"),
        ("shop/ring_buffer.h", "", "native/src/main.c", "native/include/shop/ring_buffer.h"),
        ("ring_buffer.h", "", "native/include/shop/queue.c", "native/include/shop/ring_buffer.h"),
        ("crate::store::disk", "Disk", "rust/src/main.rs", "rust/src/store/disk.rs"),
        ("crate::store", "Store", "rust/src/main.rs", "rust/src/store/mod.rs"),
        ("shop/order", "", "bin/run.rb", "lib/shop/order.rb"),
        ("App\\Http\\Kernel", "", "public/index.php", "app/Http/Kernel.php"),
    ],
)
def test_an_import_means_a_file(path: str, name: str, from_path: str, expected: str) -> None:
    assert meant(path, name, from_path) == [expected]


def test_a_package_that_is_a_folder_means_all_its_files() -> None:
    expected = ["go/internal/store/disk.go", "go/internal/store/store.go"]
    assert meant("github.com/you/shop/internal/store", "", "go/cmd/main.go") == expected


@pytest.mark.parametrize(
    ("path", "name", "from_path"),
    [
        ("json", "", "src/shop/prices.py"),  # the standard library's, not shop/util/json.py
        ("json", "dumps", "src/shop/prices.py"),
        ("./missing", "x", "web/app/main.ts"),
        ("react", "useState", "web/app/main.ts"),
        ("java.util.List", "List", "java/main/java/com/shop/Basket.java"),
        ("", "", "a.py"),
    ],
)
def test_what_is_not_in_the_workspace_means_nothing(path: str, name: str, from_path: str) -> None:
    assert meant(path, name, from_path) == []


def test_the_nearest_of_equal_files_is_meant() -> None:
    files = ("one/shop/prices.py", "two/shop/prices.py")
    (spec,) = specs("shop.prices", "", "two/tests/a.py")[:1]
    assert matching(spec, files, "two/tests/a.py") == ["two/shop/prices.py"]


def test_a_file_never_imports_itself() -> None:
    (spec,) = specs("shop.prices", "", "shop/prices.py")[:1]
    assert matching(spec, ["shop/prices.py"], "shop/prices.py") == []


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("a/b.py", ("a", "b")),
        ("a/__init__.py", ("a",)),
        ("index.ts", ("index",)),
        ("a/B.d.ts", ("a", "b")),
        ("Makefile", ("makefile",)),
    ],
)
def test_a_files_own_module(path: str, module: tuple[str, ...]) -> None:
    assert module_of(path) == module
