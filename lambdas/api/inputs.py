"""Routes for inputs: pictures uploaded on their own, for jobs to refer to."""

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.job_bodies import InputView, PresignedPut
from generate_on_cloud.contract.messages import MAX_PICTURE_BYTES
from lambdas.api.routes import Routes, UserCall
from lambdas.aws.rows import new_id
from lambdas.jobs.objects import input_key

ROUTES = Routes()


@ROUTES.add("POST", "/v1/inputs", status=201, permission=Permission.INFERENCE_CREATE)
def create_input(call: UserCall) -> InputView:
    """Create an upload URL for one picture, and the id by which jobs refer to it."""
    services, input_id, now = call.services, new_id(), call.services.clock.now()
    life = services.objects.url_life(now=now)
    url = services.objects.url_to_put(input_key(call.caller.user, input_id), life=life)
    upload = PresignedPut(url=url, headers={}, max_bytes=MAX_PICTURE_BYTES, expires_at=now + life)
    return InputView(input_id=input_id, upload=upload)
