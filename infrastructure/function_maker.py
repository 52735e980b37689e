"""Creates functions from the one bundle, each with its own role and log group."""

from collections.abc import Sequence
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infrastructure.config import StageConfig
from infrastructure.logs import add_log_group
from infrastructure.permissions import BucketGrant, Grant, TableGrant, grant_all
from lambdas.settings import FunctionSettings

LONGEST: Final = Duration.minutes(15)
"""The longest time-out of a Lambda function."""


class FunctionMaker:
    """Creates functions below one scope and remembers them."""

    def __init__(self, scope: Construct, *, config: StageConfig, code: lambda_.Code, key: kms.IKey | None) -> None:
        self._scope = scope
        self._config = config
        self._code = code
        self._key = key
        self.named: dict[str, lambda_.Function] = {}
        self.log_groups: dict[str, logs.LogGroup] = {}

    def make(
        self,
        name: str,
        *,
        handler: str,
        memory_megabytes: int,
        timeout: Duration,
        settings: FunctionSettings,
        grants: Sequence[TableGrant | BucketGrant | Grant],
        invokes_itself: bool = False,
        code: lambda_.Code | None = None,
    ) -> lambda_.Function:
        """A function that may do what its grants say, and write its own log.

        `invokes_itself`: to continue in another run. Lambda takes that for an endless loop and stops it after about 16
        runs; the function must count its runs itself.
        `code`: another bundle than the one that the functions share.
        """
        scope = self._scope
        log_group = add_log_group(scope, f"{name}Log", config=self._config, key=self._key)
        role = iam.Role(scope, f"{name}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        grant_all(role, grants, key=self._key)
        function = lambda_.Function(
            scope,
            f"{name}Function",
            code=code or self._code,
            handler=handler,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=memory_megabytes,
            timeout=timeout,
            environment=settings.environment(),
            role=role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            recursive_loop=lambda_.RecursiveLoop.ALLOW if invokes_itself else None,
        )
        self.named[name] = function
        self.log_groups[name] = log_group
        return function
