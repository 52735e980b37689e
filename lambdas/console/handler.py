"""Lambda: serves the web console's files behind the same REST API, so that page and API share an origin.

It imports nothing but the standard library, because its bundle holds this folder and the built files alone.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

SITE: Final = Path(__file__).parent / "site"
"""Where the bundle has the built files; a bundle made before they were built has no such folder."""
TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
"""The only files that are served; all are text, so the REST API needs no binary media types."""
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_NOT_BUILT: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Generate on Cloud</title>
<h1>The console is not built</h1>
<p>This deployment was made without it; the API works. Run <code>make console</code> in the repository, see what it
says, then deploy again.</p></html>
"""
Resolver = Callable[[Mapping[str, Any]], dict[str, Any]]


def security_headers(storage_origins: str) -> dict[str, str]:
    """What browsers may do with the page: no script, style, picture or request of any other host.

    Args:
        storage_origins: where pictures and model files are stored, separated by spaces.
    """
    policy = {
        "default-src": "'none'",
        "script-src": "'self' 'wasm-unsafe-eval'",
        # Mantine writes its variables into <style> elements.
        "style-src": "'self' 'unsafe-inline'",
        "img-src": f"'self' blob: data: {storage_origins}",
        "connect-src": f"'self' {storage_origins}",
        "worker-src": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value.strip()}" for name, value in policy.items()),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Referrer-Policy": "no-referrer",
        "Strict-Transport-Security": "max-age=31536000",
        "X-Content-Type-Options": "nosniff",
    }


def make_resolver(site: Path, storage_origins: str) -> Resolver:
    """A function from API Gateway's event to its answer, for the files below `site`."""
    headers = security_headers(storage_origins)
    files = {path.relative_to(site).as_posix(): path for path in site.rglob("*") if path.suffix in TYPES}
    read = cache(Path.read_text)

    def resolve(event: Mapping[str, Any]) -> dict[str, Any]:
        path = str(event["path"]).strip("/")
        public = str((event.get("requestContext") or {}).get("path") or "/")
        if path in {"", "console"}:
            if path == "" and not public.endswith("/"):
                # The page names its files relative to its own address.
                return _answer(302, headers | {"Location": f"{public}/", "Cache-Control": "no-store"})
            return _page(200, files.get("index.html"), headers, read, event)
        found = files.get(path)
        if found is None or path == "index.html":
            return _answer(404, headers | {"Content-Type": "text/plain", "Cache-Control": "no-store"}, "Not found\n")
        return _answer(200, headers | {"Content-Type": TYPES[found.suffix], "Cache-Control": _FOR_EVER}, read(found))

    return resolve


def _page(
    status: int, file: Path | None, headers: Mapping[str, str], read: Callable[[Path], str], event: Mapping[str, Any]
) -> dict[str, Any]:
    text = read(file) if file else _NOT_BUILT
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    sent = {**headers, "Content-Type": TYPES[".html"], "Cache-Control": "no-cache", "ETag": tag}
    asked = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if asked.get("if-none-match") == tag:
        return _answer(304, sent)
    return _answer(status, sent, text)


def _answer(status: int, headers: Mapping[str, str], body: str = "") -> dict[str, Any]:
    return {"statusCode": status, "headers": dict(headers), "body": body, "isBase64Encoded": False}


@cache
def _resolver() -> Resolver:
    return make_resolver(SITE, os.environ["STORAGE_ORIGINS"])


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Entry point."""
    return _resolver()(event)
