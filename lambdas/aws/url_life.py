"""How long presigned URLs are promised for: no longer than they can keep it.

A URL dies with the credentials that signed it, whatever its own expiry says. AWS does not say how long a function's
credentials live on, so URLs are short and every answer of the API has fresh ones.
"""

from datetime import datetime, timedelta
from typing import Any, Final

LONGEST: Final = timedelta(minutes=15)


def url_life(client: Any, *, now: datetime) -> timedelta:
    """The life of a URL that this boto3 client signs now: LONGEST, or what is left of its credentials if known.

    At least a second, which is the least that can be signed.
    """
    credentials = client._request_signer._credentials  # noqa: SLF001 - botocore has no public name for it
    ends = getattr(credentials, "_expiry_time", None)
    if ends is None:
        return LONGEST
    return max(timedelta(seconds=1), min(LONGEST, timedelta(seconds=int((ends - now).total_seconds()))))
