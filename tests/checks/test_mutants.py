"""Which tests `make mutants` runs for a file."""

from checks.mutants import PRODUCT, ROOT, TESTS, folders_of


def test_every_module_of_the_product_has_folders_of_tests() -> None:
    modules = [str(path.relative_to(ROOT)) for part in PRODUCT for path in (ROOT / part).rglob("*.py")]

    named = {folder for module in modules for folder in folders_of(module) if not module.endswith("/__init__.py")}

    assert len(modules) > 200
    assert named == {f"tests/{folder}" for folders in TESTS.values() for folder in folders}
    assert [folder for folder in named if not (ROOT / folder).is_dir()] == []


def test_the_narrowest_folder_counts() -> None:
    assert folders_of("inference_container/worker.py") == ("tests/container",)
    assert folders_of("inference_container/prompt/encoder.py") == ("tests/prompt",)
    assert folders_of("generate_on_cloud/contract/samplers.py") == ("tests/contract", "tests/lambdas")
