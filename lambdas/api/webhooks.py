"""Routes for webhooks: the secrets that sign them, and the deliveries of a job's webhook."""

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.accounts import RotateSecret, WebhookSecret
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.contract.jobs import TERMINAL
from generate_on_cloud.contract.webhooks import DeliveryList, Webhook, WebhookEvent
from generate_on_cloud.fetching.public_addresses import FetchError, parse_public_target
from lambdas.api.rights import visible_job
from lambdas.api.routes import Routes, UserCall
from lambdas.jobs.request_documents import state_conflict
from lambdas.problems import ProblemError, invalid

ROUTES = Routes()


@ROUTES.add("POST", "/v1/me/webhook-secret", problems=(ProblemCode.NOT_FOUND,), permission=Permission.INFERENCE_CREATE)
def rotate_webhook_secret(call: UserCall, body: RotateSecret) -> WebhookSecret:
    """Create a new secret for the webhooks of the caller's jobs; only this answer shows it."""
    secret, *previous = call.services.users.rotate_webhook_secret(call.caller.user, keep_previous=body.keep_previous)
    call.log_change("webhook_secret.rotated", call.caller.user, {"keep_previous": body.keep_previous})
    return WebhookSecret(secret=secret, previous_valid=bool(previous))


@ROUTES.add(
    "GET", "/v1/jobs/{job_id}/deliveries", problems=(ProblemCode.NOT_FOUND,), permission=Permission.INFERENCE_LIST
)
def list_deliveries(call: UserCall, job_id: str) -> DeliveryList:
    """List the attempts to deliver a job's webhook, oldest first."""
    job = visible_job(call, job_id)
    return DeliveryList(webhook=job.webhook, deliveries=list(job.deliveries))


@ROUTES.add(
    "POST",
    "/v1/jobs/{job_id}/deliveries",
    status=202,
    problems=(ProblemCode.NOT_FOUND, ProblemCode.JOB_STATE_CONFLICT),
    permission=Permission.INFERENCE_CREATE,
)
def redeliver(call: UserCall, job_id: str) -> DeliveryList:
    """Deliver a finished job's webhook once more, with the same `webhook-id`; answers with the attempts so far."""
    job = visible_job(call, job_id)
    if job.status not in TERMINAL:
        raise state_conflict(job, "redelivered before it has finished")
    if job.webhook is None or WebhookEvent(f"job.{job.status}") not in job.webhook.events:
        asked = "no webhook" if job.webhook is None else f"webhooks for {', '.join(job.webhook.events)}"
        detail = f"The job is {job.status} and was sent with {asked}; there is nothing to redeliver."
        raise ProblemError(ProblemCode.JOB_STATE_CONFLICT, detail)
    call.services.webhook_queue.send(job, job.webhook)
    call.log_change("webhook.redelivered", job_id)
    return DeliveryList(webhook=job.webhook, deliveries=list(job.deliveries))


def require_deliverable(call: UserCall, webhook: Webhook) -> None:
    """Check that the webhook's URL may be called and that its user has a secret to sign with.

    Raises:
        ProblemError: `invalid_params`.
    """
    try:
        parse_public_target(webhook.url)
    except FetchError as error:
        raise invalid([FieldError(pointer="/webhook/url", message=str(error))]) from error
    user = call.services.users.get(call.caller.user)
    if user is None or not user.webhook_secrets:
        message = "received a webhook, but you have no secret to sign it with; create one: POST /v1/me/webhook-secret"
        raise invalid([FieldError(pointer="/webhook", message=message)])
