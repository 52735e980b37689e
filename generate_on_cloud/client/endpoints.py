"""The client's endpoints: what jobs run on; create, change and delete them."""

from generate_on_cloud.client.connection import Connection
from generate_on_cloud.contract.accounts import MeView, PatchMe
from generate_on_cloud.contract.endpoints import CreateEndpoint, EndpointList, EndpointView, PatchEndpoint


class Endpoints:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> list[EndpointView]:
        """The endpoints that take jobs, with their status; the template's first."""
        return self._connection.ask(EndpointList, "GET", "/v1/endpoints").endpoints

    def get(self, name: str) -> EndpointView:
        """One endpoint, with SageMaker's current status.

        Raises:
            ProblemError: `not_found`.
        """
        return self._connection.ask(EndpointView, "GET", f"/v1/endpoints/{name}")

    def create(self, endpoint: CreateEndpoint) -> EndpointView:
        """Create an endpoint; it takes jobs after a few minutes.

        Raises:
            ProblemError: `name_taken`, `aws_quota_exceeded`, `invalid_params`, `endpoint_not_in_service`.
        """
        return self._connection.ask(EndpointView, "POST", "/v1/endpoints", body=endpoint)

    def change(self, name: str, changes: PatchEndpoint) -> EndpointView:
        """Change its scaling or who may use it; None leaves a value as it is.

        Raises:
            ProblemError: `not_found`, `forbidden`, `invalid_params`.
        """
        return self._connection.ask(EndpointView, "PATCH", f"/v1/endpoints/{name}", body=changes)

    def sleep(self, name: str) -> EndpointView:
        """Set it back to its minimum of instances now instead of after its idle minutes; the next job wakes it.

        Raises:
            ProblemError: `endpoint_in_use` while it has open jobs, `endpoint_not_in_service` while it is changed.
        """
        return self._connection.ask(EndpointView, "POST", f"/v1/endpoints/{name}/sleep")

    def delete(self, name: str, *, force: bool = False) -> EndpointView:
        """Delete it and everything that belongs to it; its status is `Deleting` until nothing is left.

        Raises:
            ProblemError: `endpoint_in_use` unless `force`, which cancels its open jobs.
        """
        query = {"force": "true"} if force else None
        return self._connection.ask(EndpointView, "DELETE", f"/v1/endpoints/{name}", query=query)

    def choose_default(self, name: str | None) -> MeView:
        """Choose the endpoint for your jobs that name none; None: the least loaded.

        Raises:
            ProblemError: `invalid_params` if you may use no endpoint of this name; `endpoint_not_in_service` if it is
                being deleted.
        """
        return self._connection.ask(MeView, "PATCH", "/v1/me", body=PatchMe(default_endpoint=name))
