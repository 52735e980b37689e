"""Whatever the local cloud changes inside ministack is in the table, and the table has nothing else."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local_cloud.environment import emulator_environment, local_environment
from local_cloud.ministack.patches import PATCHES, VERSION, extend, replace
from local_cloud.root_credential import RootCredential
from local_cloud.settings import REPOSITORY, LocalSettings

FOLDER = REPOSITORY / "local_cloud" / "ministack"
STARTED = """
import asyncio, json, sys
from importlib import import_module
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from local_cloud.durability import Durability
from local_cloud.ministack.emulator import Emulator
from local_cloud.ministack.identities import Identities
from local_cloud.ministack.function_logs import FunctionLogs
from local_cloud.ministack.patches import PATCHES
from local_cloud.sagemaker.service import SageMaker
from local_cloud.settings import LocalSettings

def contents():
    return {
        f"{module.removeprefix('ministack.')}.{name}": (value, dict(value) if isinstance(value, dict) else None)
        for module in list(sys.modules) if module.startswith("ministack.")
        for name, value in vars(sys.modules[module]).items() if not isinstance(value, ModuleType)
    }

async def main():
    settings = LocalSettings(state_dir=Path(sys.argv[1]), port=4747)
    for name in [*PATCHES, "services.sts."]:  # sts: Identities would be the first to import it
        import_module("ministack." + name.rpartition(".")[0])
    before = contents()
    emulator = Emulator(settings)
    durability = Durability(settings, emulator)
    identities = Identities(settings)
    SageMaker(settings, emulator, durability, identities).register()
    FunctionLogs(Path(sys.argv[1]), print)
    emulator.watch(durability.before, durability.after)
    after = contents()
    listed = {id(after[name][0]): name for name in PATCHES}
    changed = {
        # A dictionary goes by one name where several modules hold it.
        listed.get(id(value), name) for name, (value, held) in after.items()
        if name not in before or before[name][0] is not value or before[name][1] != held
    }
    await emulator.start()
    await emulator.stop()
    if sys.modules["ministack.app"].PERSIST_STATE != before["app.PERSIST_STATE"][0]:
        changed.add("app.PERSIST_STATE")
    print(json.dumps(sorted(changed)))

asyncio.run(main())
"""


def test_a_started_cloud_has_changed_what_the_table_lists_and_nothing_else(tmp_path: Path) -> None:
    settings = LocalSettings(state_dir=tmp_path, port=4747)
    for folder in (settings.scratch_dir, settings.emulator_dir, settings.objects_dir):
        folder.mkdir(parents=True)

    ran = subprocess.run(
        [sys.executable, "-c", STARTED, str(tmp_path)],
        cwd=REPOSITORY,
        env=local_environment(settings, os.environ, RootCredential.random()) | emulator_environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == sorted(PATCHES)


def test_each_row_is_used_by_its_name() -> None:
    used = {
        call.args[0].value
        for path in FOLDER.glob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in {"replace", "extend"}
        if isinstance(call.args[0], ast.Constant)
    }

    assert used == set(PATCHES)


@pytest.mark.parametrize("change", [lambda: replace("app.ours", lambda was: was), lambda: extend("app.ours", {})])
def test_what_has_no_row_is_not_changed(change: Callable[[], None]) -> None:
    with pytest.raises(KeyError, match=r"app\.ours is not in the table of patches"):
        change()


def test_the_names_are_those_of_the_version_that_is_pinned() -> None:
    pins = (REPOSITORY / "constraints.txt").read_text()
    pages = "".join(page.read_text() for page in (REPOSITORY / "docs").rglob("*.md"))

    assert re.findall(r"^ministack==(.+)$", pins, flags=re.MULTILINE) == [VERSION]
    assert set(re.findall(r"ministack\S* (\d+\.\d+\.\d+)", pages)) == {VERSION}
