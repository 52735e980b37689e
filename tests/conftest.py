"""`pytest --docs`: only the tests that hold the documentation to the product, and run what readers paste."""

from pathlib import Path

import pytest

DOCS = ("tests/docs/", "tests/e2e/test_docs_run.py")
ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--docs", action="store_true", help="only the tests of the documentation")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--docs"):
        return
    kept = [item for item in items if item.path.relative_to(ROOT).as_posix().startswith(DOCS)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
