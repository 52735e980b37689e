"""Whose permissions each call in the local cloud uses: sessions of the stack's roles, and a record of their requests.

ministack checks every signature and evaluates the roles' own policies (`AUTH=true`). This module covers the rest:
SageMaker, which we implement; the queues and logs that AWS reads and writes on behalf of a function with its role;
and TLS: loopback counts as TLS, so that bucket policies which demand it work unchanged.
"""

import json
from collections.abc import Callable, Mapping
from contextvars import Context
from typing import Any, TextIO

from local_cloud.ministack.emulator import EmulatorError
from local_cloud.ministack.missing_objects import hiding_missing_objects
from local_cloud.ministack.patches import extend, replace
from local_cloud.ministack.row_conditions import of_item, with_rows
from local_cloud.ministack.sessions import FunctionSessions, SessionSecret
from local_cloud.settings import ACCOUNT, LocalSettings

_QUEUE_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What Lambda does with a queue that it reads for a function, using the function's role."""
_LOG_ACTIONS = ("logs:CreateLogStream", "logs:PutLogEvents")


class DeniedError(EmulatorError):
    """A role was refused; the text is AWS's own."""


class Identities:
    """Sessions and checks of one process; created once, before the emulator starts, it installs itself in ministack."""

    def __init__(self, settings: LocalSettings) -> None:
        from ministack import app
        from ministack.core import iam_evaluator, lambda_runtime, responses
        from ministack.services import lambda_svc, sqs, sts

        self._settings = settings
        self._app = app
        self._evaluator = iam_evaluator
        self._lambda_runtime = lambda_runtime
        self._responses = responses
        self._lambda = lambda_svc
        self._sqs = sqs
        self._sts = sts
        self._enforce: Callable[..., Any] = iam_evaluator.enforce
        self._record: TextIO | None = None
        if settings.record_requests:
            self._record = settings.requests_file.open("a", buffering=1)
        self._secret = SessionSecret.kept(settings.secret_file)
        self._install()
        self._sessions = FunctionSessions(settings.credential_seconds, self._secret, check_rights=settings.check_rights)

    def _install(self) -> None:
        replace("core.iam_actions.extract_resource_arn", _with_alarm_names)
        replace("core.iam_actions.dynamodb_service_context", with_rows)
        replace("core.iam_evaluator.enforce", lambda _: self._recorded)
        replace("app.pin_request_origin", lambda pin: lambda address, _secure: pin(address, True))
        replace("services.lambda_svc._emit_lambda_logs", self._logged)
        replace("services.sqs._receive_messages_for_esm", self._received)
        extend("app.SERVICE_HANDLERS", {"s3": hiding_missing_objects(self._app.SERVICE_HANDLERS["s3"], self.may)})

    def remember_functions(self) -> None:
        """Open the sessions of all existing functions, so that URLs they signed before a restart stay valid.

        Saved sessions are forgotten first: older versions computed their secrets from names that anybody knows.
        """
        self._sts._sessions.clear()  # noqa: SLF001
        for (_, _, _), function in self._lambda._functions.all_items():  # noqa: SLF001
            self._sessions.remember(function["config"])

    def session(self, role_arn: str, name: str) -> dict[str, str]:
        """Variables that make boto3 act as `role_arn`; always the same ones, even after a restart."""
        key = f"ASIA{self._secret.of('key', name, role_arn)[:16].upper()}"
        secret, token = (self._secret.of(part, name, role_arn) for part in ("secret", "token"))
        role = role_arn.rsplit("/", 1)[-1]
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name[:64]}"
        with self._responses.request_scope(ACCOUNT, self._settings.region):
            self._sts.register_session(
                key, {"Arn": arn, "UserId": f"{role}:{name}", "SecretAccessKey": secret, "SessionToken": token}
            )
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}

    def check(self, access_key: str, action: str, resource: str) -> None:
        """Check that the owner of `access_key` may do `action` on `resource`.

        Raises:
            DeniedError: no policy of its role allows it, or one denies it.
        """
        # In a separate context: the current one belongs to the caller of the request being served.
        Context().run(self._check, access_key, action, resource)

    def may(self, access_key: str, action: str, resource: str) -> bool:
        """Whether `check` allows it."""
        try:
            self.check(access_key, action, resource)
        except DeniedError:
            return False
        return True

    def _check(self, access_key: str, action: str, resource: str, context: Mapping[str, str] | None = None) -> None:
        with self._responses.request_scope(ACCOUNT, self._settings.region):
            self._evaluator.pin_request_origin("127.0.0.1", True)
            service = action.partition(":")[0]
            denied = self._recorded(
                access_key,
                action,
                service,
                self._settings.region,
                resource_arn=resource,
                **({"service_context": dict(context)} if context else {}),
            )
        if isinstance(denied, self._evaluator.AuthError):
            raise DeniedError(denied.message)
        if denied is not None:
            raise DeniedError(
                f"User: {denied.principal_arn} is not authorized to perform: {action} on resource: {resource}"
            )

    def check_request(
        self,
        scope: Mapping[str, Any],
        body: bytes,
        action: str,
        resource: str,
        *,
        context: Mapping[str, str] | None = None,
    ) -> None:
        """Like `check`, for a signed request that ministack never sees.

        Raises:
            DeniedError: its signature is wrong, or its signer lacks the permission.
        """
        Context().run(self._check_request, scope, body, action, resource, context)

    def _check_request(
        self, scope: Mapping[str, Any], body: bytes, action: str, resource: str, context: Mapping[str, str] | None
    ) -> None:
        from ministack.core.router import extract_access_key_id

        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        raw_path = (scope.get("raw_path") or str(scope["path"]).encode()).decode("latin-1")
        self._evaluator.pin_signed_request(str(scope["method"]), raw_path, {}, list(scope["headers"]))
        self._evaluator.pin_signed_body(body)
        self._check(extract_access_key_id(headers, {}), action, resource, context)

    def _recorded(self, access_key: str, action: str, service: str, region: str, **named: Any) -> Any:
        resource = named.get("resource_arn", "*")
        context = of_item(named.get("service_context") or {}, action, resource)
        named["service_context"] = context
        denied = self._enforce(access_key, action, service, region, **named) if self._settings.check_rights else None
        session = self._sts._sessions.get(access_key)  # noqa: SLF001
        if self._record is not None and session is not None:
            line = {
                "role": session["Arn"].split("/")[1],
                "action": action,
                "resource": resource,
                "context": context,
                "allowed": denied is None,
            }
            self._record.write(json.dumps(line, default=str) + "\n")
        return denied

    def _key_of(self, config: dict[str, Any]) -> str:
        return str(self._lambda_runtime.execution_credentials(config)["AWS_ACCESS_KEY_ID"])

    def _logged(self, emit: Callable[..., None]) -> Callable[..., None]:
        def logged(function: dict[str, Any], *rest: Any, **named: Any) -> None:
            config = function.get("config") or function
            group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
            arn = f"arn:aws:logs:{self._settings.region}:{ACCOUNT}:log-group:{group}:log-stream:now"
            try:
                for action in _LOG_ACTIONS:
                    self.check(self._key_of(config), action, arn)
            except DeniedError:
                # AWS silently drops the lines of a function that may not write them.
                return
            emit(function, *rest, **named)

        return logged

    def _received(self, receive: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        def received(queue_url: str, batch_size: int) -> list[Any]:
            queue = self._sqs._queues.get(queue_url)  # noqa: SLF001
            if not queue or not queue.get("messages"):
                return receive(queue_url, batch_size)
            arn = str(queue["attributes"]["QueueArn"])
            try:
                for config in self._readers(arn):
                    for action in _QUEUE_ACTIONS:
                        self.check(self._key_of(config), action, arn)
            except DeniedError:
                # As on AWS, the messages stay in the queue.
                return []
            return receive(queue_url, batch_size)

        return received

    def _readers(self, queue_arn: str) -> list[dict[str, Any]]:
        """Configurations of the functions that read the queue."""
        found = []
        for _, _, mapping in self._lambda._iter_all_esms():  # noqa: SLF001
            if mapping.get("EventSourceArn") == queue_arn:
                function = self._lambda._functions.get(str(mapping["FunctionName"]).rsplit(":", 1)[-1])  # noqa: SLF001
                if function is not None:
                    found.append(function["config"])
        return found


def _with_alarm_names(find: Callable[..., str]) -> Callable[..., str]:
    """`find`, extended for calls on `AlarmNames`, for which it knows no resource: uses the first of them."""

    def found(*asked: Any) -> str:
        service, _, _, _, body, query, region, account = asked
        arn = find(*asked)
        if service != "monitoring" or arn != "*":
            return arn
        try:
            names = json.loads(body or b"{}").get("AlarmNames") or []
        except (ValueError, AttributeError):
            names = []
        names = names or query.get("AlarmNames.member.1") or []
        return f"arn:aws:cloudwatch:{region}:{account}:alarm:{names[0]}" if names else "*"

    return found
