"""SageMaker as one object: resources come from CloudFormation, each endpoint has a worker, invocations are accepted."""

import asyncio
import logging
import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from local_cloud.account import Account
from local_cloud.durability import Durability
from local_cloud.ministack.emulator import Emulator, ResourceType
from local_cloud.ministack.identities import Identities
from local_cloud.sagemaker.delivery import ContainerPlan, EndpointWorker
from local_cloud.sagemaker.images import why_image_is_refused
from local_cloud.sagemaker.notifier import notifier
from local_cloud.sagemaker.quotas import check_quota
from local_cloud.sagemaker.records import EndpointSpec, EndpointStatus, Kind, NewInvocation, Resource
from local_cloud.sagemaker.scaling import Scaling
from local_cloud.sagemaker.specs import NotDeployableError, found, spec_of
from local_cloud.sagemaker.store import SageMakerStore
from local_cloud.sagemaker.variants import why_type_stays, why_update_is_refused
from local_cloud.settings import ACCOUNT, REPOSITORY, LocalSettings

logger = logging.getLogger("local_cloud.sagemaker")

NAME_PROPERTIES = {
    Kind.MODEL: "ModelName",
    Kind.ENDPOINT_CONFIG: "EndpointConfigName",
    Kind.ENDPOINT: "EndpointName",
}
_IN_EVENTS = {
    EndpointStatus.CREATING: "CREATING",
    EndpointStatus.UPDATING: "UPDATING",
    EndpointStatus.IN_SERVICE: "IN_SERVICE",
    EndpointStatus.FAILED: "FAILED",
}
_RESOURCE_TYPES = {
    "AWS::SageMaker::Model": Kind.MODEL,
    "AWS::SageMaker::EndpointConfig": Kind.ENDPOINT_CONFIG,
    "AWS::SageMaker::Endpoint": Kind.ENDPOINT,
}


class SageMaker:
    """Everything in it runs on the event loop's thread."""

    def __init__(
        self, settings: LocalSettings, emulator: Emulator, durability: Durability, identities: Identities
    ) -> None:
        self.store = SageMakerStore(settings.sagemaker_file)
        self.store.tell = self._tell
        self.scaling = Scaling(self.store, region=settings.region, changed=self._wake_all)
        self._settings = settings
        self._account = Account(settings.account_file)
        self._emulator = emulator
        self._notifier = notifier(emulator, settings.notification_faults)
        self._durability = durability
        self._identities = identities
        self._workers: dict[str, EndpointWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    def register(self) -> None:
        """Register the SageMaker and scaling types with CloudFormation."""
        for name, kind in _RESOURCE_TYPES.items():
            self._emulator.register(
                name,
                ResourceType(
                    create=partial(self._create, kind),
                    update=partial(self._update, kind),
                    delete=partial(self._delete, kind),
                ),
            )
        self.scaling.register(self._emulator)

    def start(self) -> None:
        """Start the containers of all existing endpoints; one that failed before gets another chance."""
        for endpoint in self.store.list(Kind.ENDPOINT):
            try:
                spec = self.spec(endpoint.name)
            except NotDeployableError as error:
                # A deployment was killed half-way; the next one completes or removes it.
                self.store.set_status(endpoint.name, EndpointStatus.FAILED, str(error))
                continue
            if endpoint.status is EndpointStatus.FAILED:
                self.store.set_status(endpoint.name, EndpointStatus.CREATING)
            elif endpoint.status is EndpointStatus.UPDATING:
                # What changed it ended with the last process.
                self.store.set_status(endpoint.name, EndpointStatus.IN_SERVICE)
            self._run(spec)

    async def stop(self) -> None:
        """Stop all containers; invocations in flight stay queued."""
        for name in list(self._tasks):
            self._halt(name)
        await asyncio.gather(*self._stopping, return_exceptions=True)
        self.store.close()

    def enqueue(self, invocation: NewInvocation) -> None:
        """Accept `invocation` and store it durably."""
        self.store.enqueue(invocation)
        self._workers[invocation.endpoint].wake()

    def put_to_sleep(self, name: str) -> None:
        """Stop the endpoint's container once it is idle, until the next invocation."""
        if name in self._workers:
            self._workers[name].sleep_now()

    def instance_count(self, name: str) -> int:
        """How many containers of the endpoint answer right now: 0 or 1."""
        worker = self._workers.get(name)
        return int(worker is not None and worker.container is not None)

    def desired_count(self, name: str) -> int:
        """1, or 0 while the endpoint sleeps."""
        worker = self._workers.get(name)
        return int(worker is not None and not worker.asleep)

    async def until_settled(self, name: str, seconds: float) -> None:
        """Wait until endpoint `name` answers or has failed, at most `seconds`; it may still come up later."""
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            endpoint = self.store.get(Kind.ENDPOINT, name)
            if endpoint is None or self.instance_count(name) or not self.desired_count(name):
                return
            if endpoint.status is EndpointStatus.FAILED:
                logger.error("endpoint %s failed: %s", name, endpoint.failure_reason)
                return
            await asyncio.sleep(0.02)
        logger.warning("no container of endpoint %s answered within %.0f s", name, seconds)

    def arn(self, kind: Kind, name: str) -> str:
        return f"arn:aws:sagemaker:{self._settings.region}:{ACCOUNT}:{kind}/{name.lower()}"

    def spec(self, endpoint: str) -> EndpointSpec:
        """Everything that `endpoint` needs to run.

        Raises:
            NotDeployableError: its configuration or its model is missing, or it is not an asynchronous endpoint.
        """
        return spec_of(self.store, endpoint, found(self.store, Kind.ENDPOINT, endpoint).properties)

    def _put(self, kind: Kind, name: str, properties: dict[str, Any]) -> tuple[str, dict[str, str]]:
        arn = self.arn(kind, name)
        refused = why_type_stays(self.store, self.scaling, kind, name, properties)
        refused = refused or (why_image_is_refused(self._emulator, properties) if kind is Kind.MODEL else None)
        if refused:
            raise NotDeployableError(refused)
        if kind is not Kind.ENDPOINT:
            self.store.put(kind, name, arn, properties)
            self._restart_changed()
        else:
            spec = spec_of(self.store, name, properties)
            check_quota(
                self.store, self._account, name, properties, is_awake=lambda other: self.desired_count(other) > 0
            )
            self.store.put(kind, name, arn, properties)
            self._run(spec, is_changed=True)
        return arn, {NAME_PROPERTIES[kind]: name, "Id": arn}

    def put(self, kind: Kind, name: str, properties: dict[str, Any]) -> str:
        """Create a resource (an endpoint with its container); returns its ARN.

        Raises:
            NotDeployableError: this cloud cannot run it.
        """
        return self._put(kind, name, properties)[0]

    def remove(self, kind: Kind, name: str) -> None:
        """Delete a resource (an endpoint with its container and its queue)."""
        if kind is Kind.ENDPOINT:
            self._halt(name)
        self.store.delete(kind, name)

    def _create(
        self, kind: Kind, logical_id: str, properties: dict[str, Any], stack: str
    ) -> tuple[str, dict[str, str]]:
        name = str(properties.get(NAME_PROPERTIES[kind]) or f"{stack}-{logical_id}"[:63])
        return self._put(kind, name, properties)

    def _update(
        self, kind: Kind, physical_id: str, old: dict[str, Any], properties: dict[str, Any], _stack: str
    ) -> tuple[str, dict[str, str]]:
        """Update in place, where SageMaker would create a new resource: on one machine there is no difference."""
        if old.get(NAME_PROPERTIES[kind]) != properties.get(NAME_PROPERTIES[kind]):
            raise NotDeployableError(
                f"{NAME_PROPERTIES[kind]} cannot be changed here; remove the resource, then add it again"
            )
        before = self._with_arn(kind, physical_id)
        if before is None:
            raise NotDeployableError(f"Could not find {kind} {physical_id!r}.")
        if refused := why_update_is_refused(self.store, kind, before.name):
            raise NotDeployableError(refused)
        return self._put(kind, before.name, properties)

    def _delete(self, kind: Kind, physical_id: str, _properties: dict[str, Any]) -> None:
        if (existing := self._with_arn(kind, physical_id)) is not None:
            self.remove(kind, existing.name)

    def _with_arn(self, kind: Kind, arn: str) -> Resource | None:
        return next((resource for resource in self.store.list(kind) if resource.arn == arn), None)

    def _tell(self, name: str, status: EndpointStatus) -> None:
        """Send EventBridge's event about an endpoint's status."""
        detail = {"EndpointName": name, "EndpointStatus": _IN_EVENTS[status]}
        self._emulator.put_event("aws.sagemaker", "SageMaker Endpoint State Change", detail)

    def _wake_all(self) -> None:
        """Have every worker check again how long it may idle."""
        for worker in self._workers.values():
            worker.wake()

    def _restart_changed(self) -> None:
        """Restart the endpoints whose image, model or configuration has changed."""
        for worker in list(self._workers.values()):
            spec = self.spec(worker.spec.name)
            if spec != worker.spec:
                self._run(spec, is_changed=True)

    def _run(self, spec: EndpointSpec, *, is_changed: bool = False) -> None:
        """Start the endpoint's worker; `is_changed`: it was created or updated, so SageMaker tries its topics."""
        before = self._halt(spec.name)
        session = self._identities.session(spec.role, spec.name)
        worker = EndpointWorker(
            spec,
            self._plan(spec, session),
            check=partial(self._identities.check, session["AWS_ACCESS_KEY_ID"]),
            store=self.store,
            emulator=self._emulator,
            notifier=self._notifier,
            durability=self._durability,
            region=self._settings.region,
            idle_seconds=partial(self.scaling.idle_seconds, spec.name),
            is_changed=is_changed,
        )
        self._workers[spec.name] = worker
        self._tasks[spec.name] = asyncio.create_task(_run_after(before, worker), name=f"endpoint {spec.name}")

    def _halt(self, name: str) -> asyncio.Task[None] | None:
        self._workers.pop(name, None)
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)
        return task

    def _plan(self, spec: EndpointSpec, session: Mapping[str, str]) -> ContainerPlan:
        environment = {
            **os.environ,
            **session,
            **spec.environment,
            "CACHE_DIR": str(self._settings.cache_dir / spec.name),
            # Otherwise torch's threads spin while they wait and take the other core from everyone else.
            "OMP_WAIT_POLICY": "passive",
            "HF_HUB_OFFLINE": "1",
            **dict(self._settings.container_environment),
        }
        return ContainerPlan(
            command=self._settings.container_command,
            environment=environment,
            folder=REPOSITORY,
            log_file=self._settings.log_dir / f"container-{spec.name}.log",
        )


async def _run_after(before: asyncio.Task[None] | None, worker: EndpointWorker) -> None:
    if before is not None:
        await asyncio.wait([before])
    while True:
        try:
            await worker.run()
        except OSError:
            # Most likely the disk is full: nothing was acknowledged, so it is tried again.
            logger.exception("endpoint %s was interrupted; trying again", worker.spec.name)
            await asyncio.sleep(5)
        else:
            return
