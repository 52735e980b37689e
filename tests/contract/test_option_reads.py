"""`params.options` checks every option again whenever it is read, so code reads it once and keeps what it got."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path for folder in ("generate_on_cloud", "inference_container", "lambdas") for path in (ROOT / folder).rglob("*.py")
)


def is_read(node: ast.AST) -> bool:
    """`params.options`, `self._params.options`, `plan.params.options`."""
    if not isinstance(node, ast.Attribute) or node.attr != "options":
        return False
    owner = node.value
    name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
    return name.endswith("params")


def repeated_reads(source: str) -> Iterator[str]:
    """The functions that read the options more than once."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and sum(map(is_read, ast.walk(node))) > 1:
            yield node.name


def test_no_function_reads_the_options_twice() -> None:
    found = {str(path.relative_to(ROOT)): names for path in MODULES if (names := [*repeated_reads(path.read_text())])}

    assert found == {}


@pytest.mark.parametrize(
    ("body", "repeated"),
    [
        ("return params.options.tiling, params.options.rho", True),
        ("return plan.params.options.rho + self._params.options.rho", True),
        ("options = params.options; return options.tiling, options.rho", False),
    ],
)
def test_a_second_read_is_found_however_the_params_are_reached(body: str, repeated: bool) -> None:
    assert bool([*repeated_reads(f"def read(params, plan, self):\n    {body}")]) is repeated
