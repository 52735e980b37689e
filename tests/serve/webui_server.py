"""The app of `goc serve` over a cloud in memory, as its tests ask it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from generate_on_cloud.serve.app import make_app
from generate_on_cloud.serve.callers import Callers, KeptSettings
from generate_on_cloud.serve.report import JobReport
from tests.faces.shelves import file
from tests.serve.asgi_client import Answer, ask
from tests.serve.cloud_double import CloudDouble

FIXED = {"prompt": "a", "seed": 5}
CHANCE = {"prompt": "a"}


class Server:
    """The app over a cloud double, without the gate."""

    def __init__(self, kept: Path | None = None, *, after: "Server | None" = None, called: str = "pc:7860") -> None:
        self.cloud: CloudDouble = (
            after.cloud if after else CloudDouble(file("checkpoint", "shapes.safetensors", "a" * 64))
        )
        self.lines: list[str] = []
        self.name = ""
        report = JobReport(self.lines.append, price_per_hour=1.8)
        callers = Callers(lambda: self.cloud.cloud, KeptSettings(kept), report, server=called)
        self._app = make_app(lambda _: callers.named(self.name))

    async def get(self, path: str) -> Answer:
        return await ask(self._app, "GET", path)

    async def post(self, path: str, body: object = None, *, leaves: asyncio.Event | None = None) -> Answer:
        return await ask(self._app, "POST", path, body, leaves=leaves)

    async def sent(self, count: int) -> None:
        """Wait until the cloud has so many jobs."""
        async with asyncio.timeout(20):
            while len(self.cloud.sent) < count:
                await asyncio.sleep(0.005)

    async def shows(self, **state: object) -> None:
        """Wait until `progress` shows this state."""
        async with asyncio.timeout(20):
            while True:
                said = (await self.get("/sdapi/v1/progress")).json["state"]
                if {name: said[name] for name in state} == state:
                    return
                await asyncio.sleep(0.005)

    async def drawn(self, body: dict[str, Any], path: str = "/sdapi/v1/txt2img", **result: Any) -> Answer:
        """The answer to a request whose job the cloud finishes."""
        count = len(self.cloud.sent) + 1
        asking = asyncio.create_task(self.post(path, body))
        await self.sent(count)
        self.cloud.end(f"j{count}", **result)
        return await asking


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))
