"""A WebUI extension that times the host's start for `make bench-webui-start WEBUI=FOLDER`.

It is loaded before the panel, whose folder comes later in the alphabet, and writes the file START_CLOCK once the host
has started. Time is the processor's in the thread that builds the page: the host loads its checkpoint in another one.
"""

import gc
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from modules import script_callbacks, script_loading

PANEL = "generate-on-cloud"
SECONDS_UNTIL_IDLE = 5


class Clock:
    """Wraps the host's own functions, so it measures what they call."""

    def __init__(self) -> None:
        self.scripts = 0.0
        """Seconds in which the panel's scripts were loaded."""
        self.page = 0.0
        """Seconds from the first call before the page is built to the last one after it is served."""
        self.load_module = script_loading.load_module
        self.before_ui = script_callbacks.before_ui_callback
        self.app_started = script_callbacks.app_started_callback

    def load(self, path: str) -> Any:
        if PANEL not in Path(path).parts:
            return self.load_module(path)
        gc.disable()
        started = time.thread_time()
        try:
            return self.load_module(path)
        finally:
            self.scripts += time.thread_time() - started
            gc.enable()

    def begin(self) -> None:
        gc.collect()
        gc.disable()
        self.page = -time.thread_time()
        self.before_ui()

    def end(self, *arguments: Any) -> None:
        self.app_started(*arguments)
        self.page += time.thread_time()
        gc.enable()
        threading.Timer(SECONDS_UNTIL_IDLE, self.write).start()

    def write(self) -> None:
        threads = [thread.name for thread in threading.enumerate() if PANEL in thread.name]
        file = Path(os.environ["START_CLOCK"])
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps({"scripts": self.scripts, "page": self.page, "threads": threads}))
        partial.replace(file)


clock = Clock()
script_loading.load_module = clock.load
script_callbacks.before_ui_callback = clock.begin
script_callbacks.app_started_callback = clock.end
