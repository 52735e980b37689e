"""Endpoints: what jobs run on, made, changed and deleted."""

from generate_on_cloud.client.connection import Connection
from generate_on_cloud.contract.accounts import MeView, PatchMe
from generate_on_cloud.contract.endpoints import CreateEndpoint, EndpointList, EndpointView, PatchEndpoint


class Endpoints:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> list[EndpointView]:
        """The endpoints jobs can go to, with their status; the template's first."""
        return self._connection.ask(EndpointList, "GET", "/v1/endpoints").endpoints

    def get(self, name: str) -> EndpointView:
        """One endpoint, with SageMaker's status of this moment.

        Raises:
            ProblemError: `not_found`.
        """
        return self._connection.ask(EndpointView, "GET", f"/v1/endpoints/{name}")

    def create(self, endpoint: CreateEndpoint) -> EndpointView:
        """Make an endpoint; it takes jobs some minutes later.

        Raises:
            ProblemError: `name_taken`, `aws_quota_exceeded`, `invalid_params`, `endpoint_not_in_service`.
        """
        return self._connection.ask(EndpointView, "POST", "/v1/endpoints", body=endpoint)

    def change(self, name: str, changes: PatchEndpoint) -> EndpointView:
        """Change its scaling and who may use it; what is None stays.

        Raises:
            ProblemError: `not_found`, `forbidden`, `invalid_params`.
        """
        return self._connection.ask(EndpointView, "PATCH", f"/v1/endpoints/{name}", body=changes)

    def delete(self, name: str, *, force: bool = False) -> EndpointView:
        """Delete it with everything that belongs to it; it is `Deleting` until nothing is left.

        Raises:
            ProblemError: `endpoint_in_use` unless `force`, which cancels the jobs that are there.
        """
        query = {"force": "true"} if force else None
        return self._connection.ask(EndpointView, "DELETE", f"/v1/endpoints/{name}", query=query)

    def choose_default(self, name: str | None) -> MeView:
        """Where your jobs go that name no endpoint; None: to the least loaded.

        Raises:
            ProblemError: `invalid_params`, there is none such that you may use; `endpoint_not_in_service`, it is being
                deleted.
        """
        return self._connection.ask(MeView, "PATCH", "/v1/me", body=PatchMe(default_endpoint=name))
