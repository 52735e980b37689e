"""Bodies of the REST API about sessions: keys that a person gets by signing in, and one-time codes to sign in with."""

from datetime import datetime

from pydantic import Field

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.accounts import Label, Name
from generate_on_cloud.contract.bodies import Body, View

MAX_CODE_MINUTES = 15
"""How long a one-time code may work: for a link that somebody reads in one place and opens in another."""


class CreateSession(Body):
    """`POST /v1/sessions`: with a key in the header, or with a code and without a key."""

    may_be_absent = True

    code: str | None = Field(default=None, max_length=100)
    """A one-time code, instead of a key."""
    label: Label = ""
    """What the list of keys calls it, such as "Console, Firefox on Linux"."""
    keep: bool = False
    """Stay signed in for 30 days; else for 12 hours."""
    permissions: list[Permission] | None = Field(default=None, max_length=len(Permission))
    """Limits the session to these; None: everything that the key or code gives."""


class CreateSessionCode(Body):
    """`POST /v1/sessions/codes`"""

    may_be_absent = True

    user: Name | None = None
    """Whom the code signs in; None: the caller. For another user it is an invitation."""
    permissions: list[Permission] | None = Field(default=None, max_length=len(Permission))
    """Limits the session to these; None: everything that the key, or the other user's role, gives."""
    minutes: int | None = Field(default=None, ge=1, le=MAX_CODE_MINUTES)
    """How long the code works; None: 1 minute for the caller, 15 minutes for another user."""


class CreatedSessionCode(View):
    code: str
    """Opens one session, by `POST /v1/sessions`; shown only in this answer."""
    user: str
    expires_at: datetime
