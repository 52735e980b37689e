"""Which members an archive written by torch may have; shared by inspection and loading."""

import re
from collections.abc import Sequence

BYTE_ORDER = b"little"
"""The only byte order that is loaded; files from before torch recorded it have this one."""
_MEMBER = re.compile(
    r"(data\.pkl|data/\d+|version|byteorder|\.format_version|\.storage_alignment|\.data/serialization_id)"
)


def odd_member(names: Sequence[str]) -> str | None:
    """The first member that torch does not write, or that lies in a different folder from the rest."""
    folders = {name.partition("/")[0] for name in names}
    for member in names:
        folder, _, name = member.partition("/")
        if folder in ("", ".", "..") or ":" in folder or len(folders) > 1 or not _MEMBER.fullmatch(name):
            return member
    return None
