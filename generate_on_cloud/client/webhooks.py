"""The client's webhooks: the secret that signs them, what was delivered, and the check of a signature."""

import hmac
import time
from collections.abc import Mapping
from datetime import timedelta

from generate_on_cloud.client.connection import Connection, in_path
from generate_on_cloud.contract.accounts import RotateSecret, WebhookSecret
from generate_on_cloud.contract.webhooks import DeliveryList, sign

TOLERANCE = timedelta(minutes=5)
"""How far a webhook's time may be from now."""


class Webhooks:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def new_secret(self, *, keep_previous: bool = True) -> WebhookSecret:
        """Create the secret that signs the webhooks of your jobs; shown only in this answer.

        Raises:
            ProblemError: `forbidden`.
        """
        body = RotateSecret(keep_previous=keep_previous)
        return self._connection.ask(WebhookSecret, "POST", "/v1/me/webhook-secret", body=body)

    def deliveries(self, job_id: str) -> DeliveryList:
        """The attempts to deliver a job's webhook, oldest first.

        Raises:
            ProblemError: `not_found`.
        """
        return self._connection.ask(DeliveryList, "GET", f"/v1/jobs/{in_path(job_id)}/deliveries")

    def redeliver(self, job_id: str) -> DeliveryList:
        """Deliver a finished job's webhook once more; returns the attempts so far.

        Raises:
            ProblemError: `not_found`; `job_state_conflict`, the job is not finished or has no webhook for its end.
        """
        return self._connection.ask(DeliveryList, "POST", f"/v1/jobs/{in_path(job_id)}/deliveries")


def is_genuine(body: bytes, headers: Mapping[str, str], secret: str, *, now: float | None = None) -> bool:
    """Whether a request with this body and these headers is a webhook signed with `secret` within TOLERANCE.

    Call it with the bytes as they came, before anything parses them. `headers` may be in any letter case; `now` is in
    seconds since 1970 (None: the clock's).

    Raises:
        ValueError: `secret` is not one that `new_secret` returned.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    sent_at, message_id = lower.get("webhook-timestamp", ""), lower.get("webhook-id", "")
    if not sent_at.isdecimal() or abs((time.time() if now is None else now) - int(sent_at)) > TOLERANCE.total_seconds():
        return False
    expected = sign([secret], message_id=message_id, timestamp=int(sent_at), body=body).encode()
    given = lower.get("webhook-signature", "").encode("utf-8", "surrogateescape").split(b" ")
    return any(hmac.compare_digest(expected, signature) for signature in given)
