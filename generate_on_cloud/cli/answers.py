"""The three shapes of commands about named things: list all, show one, change one."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from pydantic import BaseModel

from generate_on_cloud.cli.output import print_document, wants_json
from generate_on_cloud.cli.session import open_cloud
from generate_on_cloud.cli.tables import Column, print_table
from generate_on_cloud.client.cloud import GenerateOnCloud

View = TypeVar("View", bound=BaseModel)


def show_all(
    name: str,
    find: Callable[[GenerateOnCloud], Iterable[View]],
    columns: Sequence[Column],
    row: Callable[[View], tuple[str, ...]],
    *,
    as_json: bool | None,
) -> None:
    """Print what `find` finds: a table, or `{name: […]}`."""
    in_json = wants_json(as_json)
    with open_cloud() as cloud:
        found = list(find(cloud))
    if in_json:
        print_document({name: found})
    else:
        print_table(columns, [row(one) for one in found], empty=f"There are no {name}.")


def show_one(find: Callable[[GenerateOnCloud], View], sheet: Callable[[View], None], *, as_json: bool | None) -> None:
    """Print one thing: a sheet, or its JSON."""
    in_json = wants_json(as_json)
    with open_cloud() as cloud:
        found = find(cloud)
    if in_json:
        print_document(found)
    else:
        sheet(found)


def change_one(change: Callable[[GenerateOnCloud], View], say: Callable[[View], None], *, as_json: bool) -> None:
    """Change one thing and say what it is now; with `as_json`, its JSON."""
    with open_cloud() as cloud:
        changed = change(cloud)
    if as_json:
        print_document(changed)
    else:
        say(changed)
