"""The function that answers WebUI's API, a stack option; it may call the API's function and nothing else."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_

from infrastructure.function_maker import FunctionMaker
from infrastructure.permissions import Grant
from lambdas.settings import SdapiSettings

BELOW: Final = ("sdapi", "controlnet", "internal")
"""First parts of the paths that WebUI and its ControlNet extension answer."""
ALONE: Final = ("login_check",)


def add_sdapi(maker: FunctionMaker, *, code: lambda_.Code, api: lambda_.Function) -> lambda_.Function:
    """The function; its memory is for pictures, which pass through it as base64."""
    return maker.make(
        "Sdapi",
        handler="lambdas.sdapi.handler.handler",
        memory_megabytes=1024,
        timeout=Duration.seconds(29),
        settings=SdapiSettings(API_FUNCTION=api.function_name),
        grants=[Grant(["lambda:InvokeFunction"], [api.function_arn])],
        code=code,
    )


def add_sdapi_routes(root: apigateway.IResource, function: lambda_.Function) -> None:
    """Send WebUI's paths to the function."""
    integration = apigateway.LambdaIntegration(function, allow_test_invoke=False)
    for name in BELOW:
        root.add_resource(name).add_resource("{proxy+}").add_method("ANY", integration)
    for name in ALONE:
        root.add_resource(name).add_method("ANY", integration)
