"""Bodies of the REST API about what a user prefers in front ends."""

from typing import Any, Final

from generate_on_cloud.contract.bodies import Body, View

MAX_PREFERENCES: Final = 16 * 1024
"""Bytes of the document as compact JSON in UTF-8."""


class PutPreferences(Body):
    """`PUT /v1/me/preferences`: replaces the document."""

    null_counts = True

    preferences: dict[str, Any]
    """Any JSON object of up to 16 KiB; each front end keeps its own part under its name, such as `console`."""


class PreferencesView(View):
    """`GET /v1/me/preferences`"""

    preferences: dict[str, Any]
    tag: str
    """Changes with them; also the header `ETag`, and what `If-Match` takes."""
