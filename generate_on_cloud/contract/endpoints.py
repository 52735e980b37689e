"""Bodies of the REST API about endpoints: how they are created, who may use them and what state they are in."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from generate_on_cloud.contract.accounts import Name
from generate_on_cloud.contract.bodies import Body, View
from generate_on_cloud.contract.instances import GPUS, too_old

MAX_INSTANCES = 100
MAX_NAMED = 20
"""Maximum users or roles that one endpoint may name."""
DEFAULT_IDLE_MINUTES: Final = 5
DEFAULT_BACKLOG_PER_INSTANCE: Final = 2.0
"""Also the defaults of the template's endpoint."""

EndpointName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](-?[a-z0-9])*$", max_length=40)]


def _known_instance(value: str) -> str:
    if value not in GPUS:
        why = too_old(value)
        raise ValueError(f"received {value[:64]!r}{f' ({why})' if why else ''}; allowed: {', '.join(GPUS)}")
    return value


InstanceType = Annotated[str, AfterValidator(_known_instance)]
ImageUri = Annotated[
    str,
    StringConstraints(
        pattern=r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[a-z0-9._/-]+(:[\w.-]+|@sha256:[0-9a-f]{64})$",
        max_length=255,
    ),
]
Instances = Annotated[int, Field(ge=0, le=MAX_INSTANCES)]
IdleMinutes = Annotated[int, Field(ge=1, le=60)]
Backlog = Annotated[float, Field(gt=0, le=10_000)]
Named = Annotated[list[Name], Field(max_length=MAX_NAMED)]


class EndpointStatus(StrEnum):
    CREATING = "Creating"
    IN_SERVICE = "InService"
    UPDATING = "Updating"
    """Also while instances start or stop: it takes jobs."""
    SCALED_TO_ZERO = "ScaledToZero"
    """In service without an instance; the next job starts one."""
    OUT_OF_SERVICE = "OutOfService"
    """It takes no jobs and cannot be changed back."""
    UPDATE_ROLLBACK_FAILED = "UpdateRollbackFailed"
    """A change failed and could not be undone: it takes jobs, with instances of both configurations."""
    FAILED = "Failed"
    """SageMaker lets it be deleted and nothing else."""
    DELETING = "Deleting"


class CreateEndpoint(Body):
    """`POST /v1/endpoints`"""

    name: EndpointName
    """Without the stage's prefix, which the answer's name has."""
    instance_type: InstanceType
    min_instances: Instances = 0
    max_instances: Annotated[int, Field(ge=1, le=MAX_INSTANCES)] = 1
    idle_minutes: IdleMinutes = DEFAULT_IDLE_MINUTES
    """Minutes without a job after which it returns to `min_instances`."""
    backlog_per_instance: Backlog = DEFAULT_BACKLOG_PER_INSTANCE
    """Queued or running jobs per instance above which another instance starts."""
    image: ImageUri | None = None
    """None: the image of the template's endpoint."""
    users: Named = Field(default_factory=list)
    roles: Named = Field(default_factory=list)
    """Who may send jobs to it; both empty: everyone."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.min_instances > self.max_instances:
            raise ValueError(f"min_instances {self.min_instances} is above max_instances {self.max_instances}")
        return self


class PatchEndpoint(Body):
    """`PATCH /v1/endpoints/{name}`: omitted fields stay as they are."""

    min_instances: Instances | None = None
    max_instances: Annotated[int, Field(ge=1, le=MAX_INSTANCES)] | None = None
    idle_minutes: IdleMinutes | None = None
    backlog_per_instance: Backlog | None = None
    users: Named | None = None
    roles: Named | None = None


class EndpointView(View):
    name: str
    """The name that jobs use."""
    status: EndpointStatus
    instance_count: int
    """Instances running right now."""
    failure_reason: str | None = None
    """SageMaker's reason, if the endpoint has failed."""
    managed_by: str = "template"
    """`template` (deployed and changed with the stack) or `api`."""
    open_jobs: int | None = None
    """Open jobs on it; None in answers to a change."""
    sleeps_at: datetime | None = None
    """About when it goes back to its minimum of instances unless a job comes; None while it has jobs or runs no more
    than the minimum, and in answers to a change. A minute or two later its alarm acts."""
    instance_type: str | None = None
    min_instances: int | None = None
    max_instances: int | None = None
    idle_minutes: int | None = None
    backlog_per_instance: float | None = None
    """These five are None for the template's endpoint."""
    image: str | None = None
    users: list[str] = Field(default_factory=list)
    roles: list[str] = Field(default_factory=list)
    owner: str | None = None
    """The user who created it."""
    created_at: datetime | None = None


class EndpointList(View):
    endpoints: list[EndpointView]
