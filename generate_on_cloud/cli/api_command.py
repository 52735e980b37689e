"""`goc api`: any request to the API, for what has no command."""

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from generate_on_cloud.cli.session import open_cloud
from generate_on_cloud.client.errors import CloudError

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def request(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="GET, POST, PUT, PATCH or DELETE.")],
    path: Annotated[str, typer.Argument(metavar="PATH", help="As in the API's page, with or without /v1 and a query.")],
    *,
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", "-F", metavar="NAME=VALUE", help="A field of the body; JSON values are read as such."),
    ] = None,
    body: Annotated[
        str | None, typer.Option("--input", metavar="FILE", help="The body, from a file or - for standard input.")
    ] = None,
    headers: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="NAME:VALUE", help="One more header; may be repeated.")
    ] = None,
) -> None:
    """Send any request with your key and print the answer as it comes.

    `goc api GET /v1/me`, `goc api POST users -F name=ada -F role=artist`
    """
    if method.upper() not in METHODS:
        raise typer.BadParameter(f"received {method!r}; allowed: {', '.join(METHODS)}", param_hint="METHOD")
    content = _body(fields or [], body)
    if content is None and method.upper() in ("POST", "PUT", "PATCH"):
        content = "{}"
    with open_cloud() as cloud:
        answer = cloud.request(method.upper(), _path(path), content=content, headers=_headers(headers or []))
    if not answer.content:
        return
    text = answer.text
    if sys.stdout.isatty() and text.startswith(("{", "[")):
        text = json.dumps(answer.json(), indent=2, ensure_ascii=False)
    typer.echo(text)


def field_value(text: str) -> tuple[str, Any]:
    """`name=value` as a name and a value: JSON where it can be read as JSON, else the text itself.

    Raises:
        CloudError: there is no name or no `=`.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CloudError(f"received {text!r}; allowed: NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _body(fields: list[str], file: str | None) -> str | None:
    if fields and file:
        raise CloudError("received --field and --input; allowed: one of them")
    if file is not None:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    return json.dumps(dict(map(field_value, fields))) if fields else None


def _path(path: str) -> str:
    return path if re.match(r"/v\d+/", path) else f"/v1/{path.lstrip('/')}"


def _headers(headers: list[str]) -> dict[str, str]:
    read = [header.partition(":") for header in headers]
    wrong = [header for header, (name, colon, _) in zip(headers, read, strict=True) if not name or not colon]
    if wrong:
        raise CloudError(f"received the header {wrong[0]!r}; allowed: NAME:VALUE")
    return {name.strip(): value.strip() for name, _, value in read}
