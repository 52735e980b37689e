"""Loaded by the host: makes the extension's folder the package `webui_extension`, whatever the folder is called."""

import importlib.util
import logging
import sys
from pathlib import Path

PACKAGE = "webui_extension"
FOLDER = Path(__file__).resolve().parents[1]


def _load_package() -> None:
    if PACKAGE in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        PACKAGE, FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
    )
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018  # there is such a file
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


try:
    _load_package()
    from webui_extension.host.start import script_class

    GenerateOnCloud = script_class()
except Exception:  # whatever is wrong here must not stop the host
    logging.getLogger("generate_on_cloud").exception(
        "Generate on Cloud could not be loaded; the WebUI goes on without it"
    )
