"""The public entrance: a REST API, throttled and logged; the console and WebUI's API have separate functions."""

import json
from typing import Final

from aws_cdk import Duration, Size
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from generate_on_cloud.contract.errors import PROBLEMS, ProblemCode
from infrastructure.config import StageConfig
from infrastructure.findings import acknowledge
from infrastructure.logs import add_log_group
from infrastructure.sdapi import add_sdapi_routes
from lambdas.api.cors import ANSWER_HEADERS, METHODS, REQUEST_HEADERS

STAGE: Final = "prod"
ACCESS_LOG: Final = "Access"
"""What its log group is called in the handover."""
GATEWAY_PROBLEMS: Final = (
    ("Throttled", apigateway.ResponseType.THROTTLED, ProblemCode.TOO_MANY_REQUESTS),
    ("TooLarge", apigateway.ResponseType.REQUEST_TOO_LARGE, ProblemCode.BODY_TOO_LARGE),
    # This is what a throttled function is to API Gateway.
    ("IntegrationFailed", apigateway.ResponseType.INTEGRATION_FAILURE, ProblemCode.TOO_MANY_REQUESTS),
    ("IntegrationTimeout", apigateway.ResponseType.INTEGRATION_TIMEOUT, ProblemCode.INTERNAL),
    ("Firewall", apigateway.ResponseType.WAF_FILTERED, ProblemCode.FORBIDDEN),
    ("ClientError", apigateway.ResponseType.DEFAULT_4_XX, ProblemCode.FORBIDDEN),
    ("ServerError", apigateway.ResponseType.DEFAULT_5_XX, ProblemCode.INTERNAL),
)
"""API Gateway's own answers, in the API's only error format."""
BUSY_SECONDS: Final = 2
"""When a client may send a request again that was refused because there were too many."""
_DETAILS: Final = {
    "Throttled": "The whole API gets more requests than the stage allows (api_requests_per_second).",
    "IntegrationFailed": "The request did not run: as many functions run as the AWS account allows at once "
    "(Lambda's quota of concurrent executions; make preflight shows it).",
}
"""Where the title alone does not say what to do."""


class Api(Construct):
    """The function checks keys by their hash: API Gateway's own keys are no secret store and are limited to 10,000."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: StageConfig,
        function: lambda_.Function,
        console: lambda_.Function,
        sdapi: lambda_.Function | None,
        key: kms.IKey | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.access_log = access_log = add_log_group(self, "AccessLog", config=config, key=key)
        self.rest_api = apigateway.RestApi(
            self,
            "RestApi",
            # CloudWatch distinguishes APIs by this name alone.
            rest_api_name=config.stack_name,
            description="Generate on Cloud",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # Access logs need the account-wide role; CDK keeps it when the stack is deleted, as other APIs may use it.
            cloud_watch_role=True,
            default_cors_preflight_options=apigateway.CorsOptions(
                allow_origins=apigateway.Cors.ALL_ORIGINS,
                allow_methods=list(METHODS),
                allow_headers=list(REQUEST_HEADERS),
                max_age=Duration.hours(1),
            ),
            # The console's files are text of up to a megabyte.
            min_compression_size=Size.kibibytes(1),
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=config.api_requests_per_second,
                throttling_burst_limit=config.api_burst,
                access_log_destination=apigateway.LogGroupLogDestination(access_log),
                access_log_format=apigateway.AccessLogFormat.json_with_standard_fields(
                    caller=False,
                    http_method=True,
                    ip=True,
                    protocol=True,
                    request_time=True,
                    resource_path=True,
                    response_length=True,
                    status=True,
                    user=False,
                ),
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,
                # Metrics of each method are billed as custom ones; those of the whole API are free.
                metrics_enabled=False,
            ),
        )
        # API Gateway would create it itself, without an expiry, and leave it behind when the API is deleted.
        own_log = add_log_group(
            self,
            "ExecutionLog",
            config=config,
            key=key,
            called=f"API-Gateway-Execution-Logs_{self.rest_api.rest_api_id}/{STAGE}",
        )
        self.rest_api.deployment_stage.node.add_dependency(own_log)
        # CDK adds its own output; others rely on the stack's outputs.
        self.rest_api.node.try_remove_child("Endpoint")
        integration = apigateway.LambdaIntegration(function, allow_test_invoke=False)
        self.rest_api.root.add_method("ANY", integration)
        self.rest_api.root.add_resource("{proxy+}").add_method("ANY", integration)
        page = apigateway.LambdaIntegration(console, allow_test_invoke=False)
        self.rest_api.root.add_method("GET", page)
        self.rest_api.root.add_resource("console").add_resource("{proxy+}").add_method("GET", page)
        if sdapi is not None:
            add_sdapi_routes(self.rest_api.root, sdapi)
        for name, response_type, code in GATEWAY_PROBLEMS:
            self._answer(name, response_type, code)
        self._acknowledge()

    def _answer(self, name: str, response_type: apigateway.ResponseType, code: ProblemCode) -> None:
        rule = PROBLEMS[code]
        body = {
            "type": f"urn:generate-on-cloud:problem:{code}",
            "title": rule.title,
            "status": rule.status,
            "code": str(code),
            "detail": _DETAILS.get(name, rule.title),
            "request_id": "$context.requestId",
            "errors": [],
        }
        self.rest_api.add_gateway_response(
            name,
            type=response_type,
            status_code=str(rule.status),
            response_headers={
                **{name: f"'{value}'" for name, value in ANSWER_HEADERS.items()},
                "Content-Type": "'application/problem+json'",
                **({"Retry-After": f"'{BUSY_SECONDS}'"} if code is ProblemCode.TOO_MANY_REQUESTS else {}),
            },
            templates={"application/json": json.dumps(body)},
        )

    def _acknowledge(self) -> None:
        acknowledge(self, "APIG2", "the function validates every body against the contract and answers problem JSON")
        acknowledge(self, "APIG3", "a WAF costs per month; stage throttling and 256-bit keys are the default")
        acknowledge(self, "APIG4", "the function checks the key in x-api-key by its hash")
        acknowledge(self, "COG4", "users and keys are in the access table; there is no user pool")
        acknowledge(
            self,
            "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]",
            "API Gateway's account-wide logging role needs this AWS managed policy",
        )
