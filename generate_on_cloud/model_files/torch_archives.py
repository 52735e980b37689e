"""What an archive that torch wrote may hold, for those who inspect one and those who load one."""

import re
from collections.abc import Sequence

BYTE_ORDER = b"little"
"""The only one that is loaded; also what a file of before torch wrote it down has."""
_MEMBER = re.compile(
    r"(data\.pkl|data/\d+|version|byteorder|\.format_version|\.storage_alignment|\.data/serialization_id)"
)


def odd_member(names: Sequence[str]) -> str | None:
    """The first member that torch does not write beside tensors, or that is in another folder than the rest."""
    folders = {name.partition("/")[0] for name in names}
    for member in names:
        folder, _, name = member.partition("/")
        if folder in ("", ".", "..") or ":" in folder or len(folders) > 1 or not _MEMBER.fullmatch(name):
            return member
    return None


def repeated_member(names: Sequence[str]) -> str | None:
    """The first member whose name is there twice: two readers could take different ones."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
