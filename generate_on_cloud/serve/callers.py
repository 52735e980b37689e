"""Who asks, and what the server keeps for them: options, the list of files, jobs under way."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError, TransferError
from generate_on_cloud.client.signed_urls import with_fresh_url
from generate_on_cloud.contract.job_bodies import JobView
from generate_on_cloud.faces.sdapi.refusals import RefusalError
from generate_on_cloud.faces.sdapi.settings import Settings
from generate_on_cloud.faces.sdapi.shelf import Shelf
from generate_on_cloud.serve.work import Report, Work
from generate_on_cloud.serve.works import Works
from generate_on_cloud.webui.prompt.styles import Style

_LOG = logging.getLogger(__name__)

Read = TypeVar("Read")
Cloud = Callable[[], GenerateOnCloud]
"""The service, with a key that is valid now."""
SHELF_SECONDS = 10.0
"""How long the list of files is kept: clients ask for five lists at once."""


class Files:
    """The files that one user of the cloud may use, looked up when they are asked for."""

    def __init__(
        self, cloud: Cloud, *, styles: Mapping[str, Style] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cloud = cloud
        self._styles = styles
        self._clock = clock
        self._lock = asyncio.Lock()
        self._shelf: Shelf | None = None
        self._until = 0.0

    async def shelf(self) -> Shelf:
        """The files as they were at most SHELF_SECONDS ago.

        Raises:
            CloudError: the cloud refused or cannot be reached.
        """
        async with self._lock:
            if self._shelf is None or self._clock() >= self._until:
                self._shelf = await asyncio.to_thread(lambda: Shelf.of(self._cloud().assets.list(), self._styles))
                self._until = self._clock() + SHELF_SECONDS
            return self._shelf

    async def reading(self, read: Callable[[Shelf], Read]) -> Read:
        """`read(shelf)`; what it does not find may be newer than the list, so it is then read once more.

        Raises:
            RefusalError: `read` refused the newest list too.
            CloudError: as in `shelf`.
        """
        known = await self.shelf()
        try:
            return read(known)
        except RefusalError:
            self.forget()
            newest = await self.shelf()
            if newest == known:
                raise
            return read(newest)

    def forget(self) -> None:
        """Look the files up again when they are next asked for."""
        self._until = 0.0


class SettingsKeeper(Protocol):
    """Keeps the options of callers, by name."""

    def get(self, name: str, /) -> Settings:
        """The caller's options."""

    def put(self, name: str, settings: Settings, /) -> None:
        """Keep the caller's options."""


@dataclass
class Caller:
    """One user of this server."""

    name: str
    cloud: Cloud
    files: Files
    works: Works
    kept: SettingsKeeper
    own_key: bool = False
    """Whether the key is the caller's own, and not the server's."""

    @property
    def settings(self) -> Settings:
        """The options that the caller has chosen."""
        return self.kept.get(self.name)

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self.kept.put(self.name, settings)

    def remember(self, checkpoint: str) -> None:
        """Keep the name for requests that name none; where there is no room for it, the request goes on without."""
        try:
            self.settings = self.settings.used(checkpoint)
        except CloudError as error:
            _LOG.warning("the checkpoint is not remembered: %s", error)

    def pictures(self, job: JobView) -> list[bytes]:
        """Download the pictures of a job that has succeeded.

        Raises:
            TransferError: storage did not give one of them.
        """
        images = job.result.images if job.result else []
        with httpx.Client(timeout=300) as http:
            return [self._picture(http, job.job_id, number, one.url) for number, one in enumerate(images)]

    def _picture(self, http: httpx.Client, job_id: str, number: int, url: str) -> bytes:
        def renew() -> str:
            again = self.cloud().jobs.get(job_id)
            if again.result is None:
                raise TransferError(f"job {job_id} has no pictures any more")
            return again.result.images[number].url

        try:
            response = with_fresh_url(http.get, url, renew)
        except httpx.TransportError as error:
            raise TransferError(f"picture {number} of job {job_id} could not be downloaded: {error}") from error
        if response.is_error:
            raise TransferError(f"picture {number} of job {job_id}: storage answered {response.status_code}")
        return response.content

    def preview(self, work: Work) -> bytes | None:
        """The latest preview of a running job; the one before if it cannot be fetched."""
        job = work.job
        number = job.progress.previews if job and job.progress else 0
        known = work.preview
        if job is None or job.preview_url is None or not number:
            return known[1] if known else None
        if known is None or known[0] != number:
            try:
                response = httpx.get(job.preview_url, timeout=10)
            except httpx.TransportError:
                return known[1] if known else None
            if response.is_success:
                work.preview = known = (number, response.content)
        return known[1] if known else None


class Callers:
    """Everybody who uses this server's one key, told apart by their name."""

    def __init__(
        self,
        cloud: Cloud,
        kept: "KeptSettings",
        report: Report,
        styles: Mapping[str, Style] | None = None,
        *,
        server: str = "",
    ) -> None:
        """`server` tells this server from the user's other ones, today and after a restart."""
        self._cloud = cloud
        self._server = server
        self._kept = kept
        self._report = report
        self._files = Files(cloud, styles=styles)
        self._callers: dict[str, Caller] = {}

    def named(self, name: str) -> Caller:
        """The caller of this name, "" for the only one."""
        if name not in self._callers:
            works = Works(self._cloud, self._report, clock=time.monotonic, server=f"{self._server} {name}")
            self._callers[name] = Caller(name, self._cloud, self._files, works, self._kept)
        return self._callers[name]


class KeptSettings:
    """Everybody's options, in a file that only its owner can read; None: kept while the server runs."""

    def __init__(self, path: Path | None, *, service: str = "") -> None:
        self._path = path
        self._service = service
        self._settings: dict[str, Settings] = {}
        for name, said in self._read().get(service, {}).items():
            self._settings[name] = Settings(dict(said.get("chosen", {})), said.get("last_checkpoint"))

    def get(self, name: str) -> Settings:
        """The caller's options."""
        return self._settings.get(name, Settings())

    def put(self, name: str, settings: Settings) -> None:
        """Keep the caller's options."""
        if self._settings.get(name) == settings:
            return
        self._settings[name] = settings
        if self._path is None:
            return
        mine = {
            who: {"chosen": dict(one.chosen), "last_checkpoint": one.last_checkpoint}
            for who, one in self._settings.items()
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".tmp")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps({**self._read(), self._service: mine}, indent=1))
        partial.replace(self._path)

    def _read(self) -> dict[str, Any]:
        if self._path is None or not self._path.exists():
            return {}
        try:
            kept = json.loads(self._path.read_text())
        except ValueError:
            _LOG.warning("%s is damaged and is written anew", self._path)
            return {}
        return kept if isinstance(kept, dict) else {}
