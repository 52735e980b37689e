"""An exception in the panel's code, planted in each place that the host calls, never stops the host from starting."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.webui_extension import hosts
from tests.webui_extension.hosts import HERE, Host, prepare

pytestmark = pytest.mark.timeout(300)
CHILD = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
import host
host.announce_components()
for place, planting in json.load(open("plantings.json")).items():
    if os.fork() == 0:
        log = os.open(place + ".log", os.O_CREAT | os.O_WRONLY)
        os.dup2(log, 2)
        try:
            exec(planting)
            page = host.build()
            ids = {block.elem_id for block in page.blocks.values() if getattr(block, "elem_id", None)}
            open(place + ".json", "w").write(json.dumps(sorted(ids)))
        except BaseException:
            import traceback
            traceback.print_exc()
        os._exit(0)
    os.wait()
"""
"""Builds the host's page once for each planted exception; importing gradio takes longest, so that happens once."""
PLANT = """
import importlib.util
def broken(*args, **keywords):
    raise RuntimeError("planted")
script = {script!r}
spec = importlib.util.spec_from_file_location("probe", script)
spec.loader.exec_module(importlib.util.module_from_spec(spec))
host.script_callbacks.after_component.clear()
host.script_callbacks.ui_tabs.clear()
{planting}
"""
SCRIPT = "extensions/generate-on-cloud/scripts/generate_on_cloud.py"
WHOLE = {
    "nothing": "",
    "an older host": "del host.script_callbacks.add_callback",
    "another host": "host.script_callbacks.on_ui_tabs = host.script_callbacks.on_after_component = broken",
}
"""Host -> how it differs; the panel is there in each, by the first way to register that the host has."""
HOOKS = {
    "loading": "import webui_extension.host.start as it; it.script_class = broken",
    "language": "import webui_extension.host.start as it; it.choose_language = broken",
    "cloud": "import webui_extension.host.start as it; it.Cloud = broken",
    "wiring": "import webui_extension.host.start as it; it.Wiring = broken",
    "panel": "import webui_extension.host.wiring as it; it.Panel = broken",
    "component": "import webui_extension.host.wiring as it; it.Wiring.after_component = broken",
    "button": "import webui_extension.host.wiring as it; it._overhear = broken",
    "event": "import webui_extension.host.wiring as it; it.Wiring._generate = broken",
    "interrogator": "import webui_extension.host.wiring as it; it.Wiring._interrogate = broken",
    "tab": "import webui_extension.host.assets_tab as it; it.AssetsTab.build = broken",
    "login": "import webui_extension.host.assets_tab as it; it._saved_url = broken",
    "texts": "import webui_extension.host.start as it; it.say = broken",
}
"""Place -> what breaks there."""
HOSTS_OWN = {"txt2img_generate", "img2img_generate", "txt2img_gallery", "img2img_gallery", "interrogate", "deepbooru"}
OURS = {"goc_generate_txt2img", "goc_generate_img2img", "goc_panel_txt2img", "goc_interrogate", "goc_url"}


@pytest.mark.parametrize("host", hosts.stand_ins(), ids=str)
def test_an_exception_in_any_hook_leaves_the_hosts_page_whole_and_is_logged(host: Host, tmp_path: Path) -> None:
    hosts.need(host.python)
    prepare(host, tmp_path)
    plantings = {
        place: PLANT.format(script=str(tmp_path / SCRIPT), planting=planting)
        for place, planting in (WHOLE | HOOKS).items()
    }
    (tmp_path / "plantings.json").write_text(json.dumps(plantings))
    environment = {"STANDIN_FOLDER": str(tmp_path), "HOME": str(tmp_path), "GRADIO_ANALYTICS_ENABLED": "False"}
    subprocess.run(
        [host.python, "-W", "ignore", "-c", CHILD, str(HERE / "standin")],
        env={"PATH": os.environ["PATH"], **environment}, cwd=tmp_path, check=True, timeout=280,
    )  # fmt: skip

    for place in WHOLE | HOOKS:
        log = (tmp_path / f"{place}.log").read_text()
        assert (tmp_path / f"{place}.json").exists(), f"the host does not start: {place}\n{log}"
        ids = set(json.loads((tmp_path / f"{place}.json").read_text()))
        assert ids >= HOSTS_OWN, place
        if place in WHOLE:
            assert ids >= OURS
            assert not log
        else:
            assert "RuntimeError: planted" in log, place
