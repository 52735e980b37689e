"""Writes `nouns/`: for each noun of the client a class with the same methods, to await or to loop over.

The signatures and the first lines of the docstrings are those of the sources. Formatting needs ruff.
"""

import ast
import builtins
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENT = HERE.parent
PACKAGE = "generate_on_cloud.client"
NOUNS = ("assets", "endpoints", "jobs", "keys", "me", "roles", "sessions", "usage", "users", "webhooks")
HEAD = '"""Made by `python -m generate_on_cloud.client.asynchronous` from `{module}`."""'
ITERATORS = ("Iterator", "Generator")


def written(noun: str) -> str:
    """The module of one noun, before it is formatted."""
    module = f"{PACKAGE}.{noun}"
    tree = ast.parse((CLIENT / f"{noun}.py").read_text(encoding="utf-8"))
    found = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.lower() == noun)
    methods = [
        node for node in found.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]  # fmt: skip
    imports = {
        f"from {module} import {found.name}",
        "from generate_on_cloud.client.asynchronous.threads import Threads",
    }
    homes = dict(_homes(tree, module))
    for method in methods:
        imports |= {homes[name] for name in _names_in(method) if name in homes}
    lines = [HEAD.format(module=module), *sorted(imports), "from collections.abc import AsyncIterator", ""]
    lines += [f"class Async{found.name}:", f"    def __init__(self, sync: {found.name}, threads: Threads) -> None:"]
    lines += ["        self._sync = sync", "        self._threads = threads", ""]
    for method in methods:
        lines += [*_method(method), ""]
    return "\n".join(lines) + "\n"


def _homes(tree: ast.Module, module: str) -> Iterator[tuple[str, str]]:
    """Where each name of a module comes from: its import."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                yield name.asname or name.name, f"from {node.module} import {name.name}"
        elif isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, f"import {name.name}"
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, f"from {module} import {target.id}"


def _names_in(method: ast.FunctionDef) -> set[str]:
    """Names in the signature that are not Python's own."""
    parts = [method.args, *([method.returns] if method.returns else [])]
    names = {node.id for part in parts for node in ast.walk(part) if isinstance(node, ast.Name)}
    return {name for name in names - set(dir(builtins)) if name not in ITERATORS}


def _method(method: ast.FunctionDef) -> list[str]:
    arguments = ast.unparse(method.args)
    passed = [f"{argument.arg}={argument.arg}" for argument in (*method.args.args[1:], *method.args.kwonlyargs)]
    passed += [f"**{method.args.kwarg.arg}"] if method.args.kwarg else []
    said = (ast.get_docstring(method) or "").partition("\n")[0]
    returns = ast.unparse(method.returns) if method.returns else "None"
    kind, _, rest = returns.partition("[")
    words = ", ".join([f"self._sync.{method.name}", *passed])
    if kind in ITERATORS:
        head = f"    def {method.name}({arguments}) -> AsyncIterator[{rest}:"
        return [head, f'        """{said}"""', f"        return self._threads.each({words})"]
    head = f"    async def {method.name}({arguments}) -> {returns}:"
    return [head, f'        """{said}"""', f"        return await self._threads.run({words})"]


def formatted(sources: Mapping[str, str]) -> dict[str, str]:
    """The sources by file name, in the house's style."""
    made = {}
    for name, source in sources.items():
        for words in (["check", "--fix-only", "--quiet", "--select", "I,F401"], ["format", "--quiet"]):
            command = [sys.executable, "-m", "ruff", *words, "--stdin-filename", str(HERE / "nouns" / name), "-"]
            run = subprocess.run(command, input=source, capture_output=True, text=True, check=True)  # noqa: S603
            source = run.stdout  # noqa: PLW2901 - one step after the other
        made[name] = source
    return made


def modules() -> dict[str, str]:
    """Every module of `nouns/` by file name."""
    nouns = formatted({f"{noun}.py": written(noun) for noun in NOUNS})
    return {
        "__init__.py": '"""The client\'s nouns for asyncio; each module is made from the other client\'s."""\n',
        **nouns,
    }


if __name__ == "__main__":
    (HERE / "nouns").mkdir(exist_ok=True)
    for name, source in modules().items():
        (HERE / "nouns" / name).write_text(source, encoding="utf-8")
