"""Routes for inputs: pictures uploaded on their own, for jobs to refer to."""

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.job_bodies import CreateInput, InputView, PresignedPut
from lambdas.access.input_bytes import InputBytes
from lambdas.api.routes import Routes, UserCall
from lambdas.aws.rows import new_id
from lambdas.jobs.objects import input_key

ROUTES = Routes()


@ROUTES.add(
    "POST",
    "/v1/inputs",
    status=201,
    problems=(ProblemCode.QUOTA_EXCEEDED,),
    permission=Permission.INFERENCE_CREATE,
)
def create_input(call: UserCall, body: CreateInput) -> InputView:
    """Create an upload URL for one picture of this size, and the id by which jobs refer to it."""
    services, input_id, now = call.services, new_id(), call.services.clock.now()
    InputBytes(services.users.access).count(call.caller.user, body.size, call.caller.quotas, now=now)
    life = services.objects.url_life(now=now)
    url = services.objects.url_to_put(input_key(call.caller.user, input_id), size=body.size, life=life)
    upload = PresignedPut(url=url, headers={}, max_bytes=body.size, expires_at=now + life)
    return InputView(input_id=input_id, upload=upload)
