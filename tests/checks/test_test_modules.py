"""The tests' own modules: what several share is in a module that has no tests."""

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]


def _imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


def test_no_module_imports_from_a_module_of_tests() -> None:
    modules = {".".join(file.relative_to(TESTS.parent).with_suffix("").parts) for file in TESTS.rglob("test_*.py")}
    others = {file: _imported(file) & modules for file in TESTS.rglob("*.py")}

    assert len(modules) > 100
    assert {str(file.relative_to(TESTS)): sorted(found) for file, found in others.items() if found} == {}
