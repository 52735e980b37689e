"""Where a model file that a user names can be fetched: an https URL, or a page or shorthand of Civitai or Hugging Face.

| received | fetched |
|---|---|
| `civitai:MODEL`, `civitai:MODEL@VERSION`, `urn:air:…:civitai:MODEL@VERSION`, a model's page | its main file |
| `hf:OWNER/REPO/FILE`, `hf:OWNER/REPO/FILE@REVISION`, a file's page | the file |
| another URL | as it is |
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from generate_on_cloud.fetching.public_addresses import FetchError, FetchFailure
from generate_on_cloud.fetching.safe_fetch import FetchLimits, SafeFetch

CIVITAI, HUGGING_FACE = "https://civitai.com", "https://huggingface.co"
CIVITAI_HOSTS = ("civitai.com", "www.civitai.com", "civitai.red", "civitai.green")
HUGGING_FACE_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
MAX_DOCUMENT_BYTES = 4 * 1024**2
SECONDS = 10.0
"""For all that is asked before the import begins."""
_CIVITAI_SHORT = re.compile(r"(?:civitai:|urn:air:[^@\s]*:civitai:)(?P<model>\d+)(?:@(?P<version>\d+))?", re.IGNORECASE)
_CIVITAI_PAGE = re.compile(r"/models/(?P<model>\d+)(?:/[^/]*)?/?")
_VERSION = re.compile(r"(?:^|&)modelVersionId=(?P<version>\d+)(?:&|$)")
_SHORTHANDS = "an https URL, civitai:MODEL, civitai:MODEL@VERSION, hf:OWNER/REPO/FILE, hf:OWNER/REPO/FILE@REVISION"
_HUGGING_FACE_SHORT = re.compile(
    r"hf:/{0,2}(?P<repo>[^/\s@]+/[^/\s@]+)/(?P<file>[^@]+)(?:@(?P<revision>\S+))?", re.IGNORECASE
)
_HUGGING_FACE_PAGE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/blob/(?P<rest>.+)")


@dataclass(frozen=True)
class ModelSource:
    """A file to fetch."""

    url: str
    name: str | None = None
    """What the site calls it, or the end of the URL, unquoted; None if neither says it."""
    sha256: str | None = None
    """In lower-case hex, if the site says it."""


@dataclass(frozen=True)
class ModelSites:
    """Asks the sites; their addresses can be replaced for tests."""

    fetch: SafeFetch = field(default_factory=SafeFetch)
    civitai: str = CIVITAI
    hugging_face: str = HUGGING_FACE

    def located(self, received: str, *, extensions: Sequence[str], token: str | None = None) -> ModelSource:
        """Where to fetch what the user named, without asking anybody except Civitai about a model.

        Raises:
            FetchError: Civitai does not know it or cannot be asked.
        """
        try:
            parts = urlsplit(received)
        except ValueError:
            return ModelSource(received)
        short, page = _CIVITAI_SHORT.fullmatch(received), None
        if parts.hostname in CIVITAI_HOSTS:
            page = _CIVITAI_PAGE.fullmatch(parts.path)
        if short is not None:
            return self._of_civitai(short["model"], short["version"], extensions, token)
        if page is not None:
            version = _VERSION.search(parts.query)
            return self._of_civitai(page["model"], version and version["version"], extensions, token)
        if (file := _HUGGING_FACE_SHORT.fullmatch(received)) is not None:
            return _named_by_path(
                self._of_hugging_face(file["repo"], f"{file['revision'] or 'main'}/{quote(file['file'])}")
            )
        if parts.hostname in HUGGING_FACE_HOSTS and (file := _HUGGING_FACE_PAGE.fullmatch(parts.path)) is not None:
            return _named_by_path(self._of_hugging_face(file["repo"], file["rest"]))
        if received.lower().startswith(("civitai:", "urn:", "hf:")):
            raise FetchError(FetchFailure.BAD_URL, f"received {received[:200]!r}; allowed: {_SHORTHANDS}")
        return _named_by_path(received)

    def told_name(self, url: str, *, token: str | None = None) -> str | None:
        """The file name in the source's `Content-Disposition`; None if it has none. The file is not read.

        Raises:
            FetchError: the source cannot be asked.
        """
        headers = {"Range": "bytes=0-0", **_authorization(token)}
        with self.fetch.get(url, limits=_limits(2**63), headers=headers) as download:
            return _disposed(download.headers.get("content-disposition", ""))

    def _of_hugging_face(self, repo: str, rest: str) -> str:
        return f"{self.hugging_face}/{repo}/resolve/{rest}"

    def _of_civitai(self, model: str, version: str | None, extensions: Sequence[str], token: str | None) -> ModelSource:
        if version is None:
            found = self._document(f"/api/v1/models/{model}", token)
            newest = next(iter(_objects(found.get("modelVersions"))), None)
            if newest is None:
                raise _unusable(f"Civitai's model {model} has no version")
            found = newest
        else:
            found = self._document(f"/api/v1/model-versions/{version}", token)
        files = [file for file in _objects(found.get("files")) if str(file.get("name", "")).endswith(tuple(extensions))]
        if not files:
            names = ", ".join(str(file.get("name")) for file in _objects(found.get("files"))) or "none"
            raise _unusable(f"Civitai has these files of it: {names}; allowed: names ending in {', '.join(extensions)}")
        file = next((file for file in files if file.get("primary")), files[0])
        url = str(file.get("downloadUrl") or f"{self.civitai}/api/download/models/{found.get('id')}")
        if urlsplit(url).netloc != urlsplit(self.civitai).netloc:
            # The token is for Civitai.
            raise _unusable(f"Civitai sends to another site for it ({urlsplit(url).hostname}); give that URL")
        hashes = file.get("hashes")
        sha256 = str(hashes.get("SHA256", "")).lower() if isinstance(hashes, dict) else ""
        return ModelSource(url, str(file["name"]), sha256 if re.fullmatch(r"[0-9a-f]{64}", sha256) else None)

    def _document(self, path: str, token: str | None) -> Mapping[str, Any]:
        with self.fetch.get(
            self.civitai + path, limits=_limits(MAX_DOCUMENT_BYTES), headers=_authorization(token)
        ) as answer:
            body = b"".join(answer.chunks)
        try:
            document = json.loads(body)
        except ValueError as error:
            raise _unusable("Civitai's answer is not JSON") from error
        return document if isinstance(document, dict) else {}


def told_failure(error: FetchError) -> str:
    """The error's text, with what to do where a site wants to know who asks."""
    if error.status in (401, 403):
        return f"{error}; give a token of that site (`bearer_token`, `goc assets import --token`), or check its terms"
    return str(error)


def _named_by_path(url: str) -> ModelSource:
    try:
        name = PurePosixPath(unquote(urlsplit(url).path)).name
    except ValueError:
        name = ""
    return ModelSource(url, name or None)


def _disposed(header: str) -> str | None:
    message = EmailMessage()
    with suppress(UnicodeError):
        # Header bytes arrive as Latin-1; many sites send UTF-8.
        header = header.encode("latin-1").decode()
    message["Content-Disposition"] = " ".join(header.split())
    name = PurePosixPath((message.get_filename() or "").replace("\\", "/")).name
    return name or None


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _authorization(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _limits(max_bytes: int) -> FetchLimits:
    return FetchLimits(max_bytes=max_bytes, total_seconds=SECONDS, stall_seconds=SECONDS)


def _unusable(message: str) -> FetchError:
    return FetchError(FetchFailure.HTTP_STATUS, message)
