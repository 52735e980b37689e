"""A small hand-written stack in the shape of ours, for a tiny container program, and what tests do with it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud
from local_cloud.settings import DEFAULT_REGION
from tests.patience import wait_for

CONTAINER = (sys.executable, str(Path(__file__).with_name("tiny_container.py")))

FUNCTION = """
import json, logging, os, time, boto3
from botocore.config import Config
dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3", config=Config(signature_version="s3v4"))

audit = logging.getLogger("audit")
audit.setLevel(logging.INFO)

def handler(event, context):
    if said := (event.get("queryStringParameters") or {}).get("say"):
        audit.info(said)
    time.sleep(float((event.get("queryStringParameters") or {}).get("wait", 0)))
    until = (event.get("queryStringParameters") or {}).get("until")
    while until and not os.path.exists(until):
        time.sleep(0.02)
    for record in event.get("Records", ()):
        body = json.loads(record["body"])
        if body.get("explode"):
            raise RuntimeError("it exploded")
        message = json.loads(body["Message"])
        if "inferenceId" not in message:
            message["inferenceId"] = f"{message['eventName']} {record['messageId']}"
        dynamodb.put_item(
            TableName=os.environ["TABLE"],
            Item={"id": {"S": message["inferenceId"]}, "message": {"S": json.dumps(message)}},
        )
        delivery = f"delivery of {message['inferenceId']}: {context.aws_request_id}"
        dynamodb.put_item(TableName=os.environ["TABLE"], Item={"id": {"S": delivery}})
    if event.get("row"):
        row = {"id": {"S": f"{event['row']}: {context.aws_request_id}"}}
        dynamodb.put_item(TableName=os.environ["TABLE"], Item=row)
    if event.get("body"):
        return {"statusCode": 200, "body": json.dumps({"body": event["body"], "coded": event["isBase64Encoded"]})}
    signed = s3.generate_presigned_url("put_object", Params={"Bucket": os.environ["BUCKET"], "Key": "signed"})
    return {"statusCode": 200, "body": json.dumps({"table": os.environ["TABLE"], "signed": signed})}
"""


def ref(name: str) -> dict[str, Any]:
    return {"Ref": name}


def att(name: str, attribute: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, attribute]}


def path(folder: str) -> dict[str, Any]:
    return {"Fn::Join": ["", ["s3://", ref("Bucket"), f"/{folder}"]]}


STATEMENTS = [
    {"Effect": "Allow", "Action": ["dynamodb:PutItem"], "Resource": att("Table", "Arn")},
    {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": {"Fn::Join": ["", [att("Bucket", "Arn"), "/*"]]},
    },
    {"Effect": "Allow", "Action": ["sns:Publish"], "Resource": [ref("Success"), ref("Error")]},
    {
        "Effect": "Allow",
        "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        "Resource": att("Queue", "Arn"),
    },
    {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"},
]


def template(*, idle_seconds: int = 300) -> dict[str, Any]:
    """Bucket, table, API, function, topics → queue → function, SageMaker endpoint that sleeps after `idle_seconds`."""
    topics = {
        f"{name}Subscription": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": ref(name), "Protocol": "sqs", "Endpoint": att("Queue", "Arn")},
        }
        for name in ("Success", "Error")
    }
    resources: dict[str, Any] = {
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "BillingMode": "PAY_PER_REQUEST",
                "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
            },
        },
        "Key": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "the-key"}},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {"Statement": []},
                "Policies": [{"PolicyName": "Grants", "PolicyDocument": {"Statement": STATEMENTS}}],
            },
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Code": {
                    "S3Bucket": {"Fn::Sub": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"},
                    "S3Key": "function.zip",
                },
                "Handler": "function.handler",
                "Runtime": "python3.13",
                "Role": att("Role", "Arn"),
                "Timeout": 60,
                "Environment": {"Variables": {"TABLE": ref("Table"), "BUCKET": ref("Bucket")}},
            },
        },
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 15}},
        "QueuePolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {
                "Queues": [ref("Queue")],
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "sns.amazonaws.com"},
                            "Action": "sqs:SendMessage",
                            "Resource": att("Queue", "Arn"),
                        }
                    ]
                },
            },
        },
        "Success": {"Type": "AWS::SNS::Topic"},
        "Error": {"Type": "AWS::SNS::Topic"},
        **topics,
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {"EventSourceArn": att("Queue", "Arn"), "FunctionName": ref("Function"), "BatchSize": 1},
        },
        "Model": {
            "Type": "AWS::SageMaker::Model",
            "Properties": {
                "ExecutionRoleArn": att("Role", "Arn"),
                "PrimaryContainer": {"Image": "tiny", "Environment": {"GREETING": "hello"}},
            },
        },
        "Config": {
            "Type": "AWS::SageMaker::EndpointConfig",
            "Properties": {
                "ProductionVariants": [
                    {
                        "VariantName": "AllTraffic",
                        "ModelName": att("Model", "ModelName"),
                        "InitialInstanceCount": 1,
                        "InstanceType": "ml.g5.xlarge",
                        "InitialVariantWeight": 1,
                    }
                ],
                "AsyncInferenceConfig": {
                    "OutputConfig": {
                        "S3OutputPath": path("endpoint-output"),
                        "S3FailurePath": path("endpoint-failure"),
                        "NotificationConfig": {"SuccessTopic": ref("Success"), "ErrorTopic": ref("Error")},
                    }
                },
            },
        },
        "Endpoint": {
            "Type": "AWS::SageMaker::Endpoint",
            "Properties": {"EndpointConfigName": att("Config", "EndpointConfigName")},
        },
        "Target": {
            "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
            "Properties": {
                "MinCapacity": 0,
                "MaxCapacity": 1,
                "ResourceId": {"Fn::Sub": "endpoint/${Endpoint.EndpointName}/variant/AllTraffic"},
                "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
                "ServiceNamespace": "sagemaker",
            },
        },
        "Policy": {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "Properties": {
                "PolicyName": "Sleep",
                "PolicyType": "StepScaling",
                "ScalingTargetId": ref("Target"),
                "StepScalingPolicyConfiguration": {
                    "AdjustmentType": "ExactCapacity",
                    "Cooldown": idle_seconds,
                    "StepAdjustments": [{"MetricIntervalUpperBound": 0, "ScalingAdjustment": 0}],
                },
            },
        },
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "tiny"}},
        "Any": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                "RestApiId": ref("Api"),
                "ResourceId": att("Api", "RootResourceId"),
                "HttpMethod": "ANY",
                "AuthorizationType": "NONE",
                "Integration": {
                    "Type": "AWS_PROXY",
                    "IntegrationHttpMethod": "POST",
                    "Uri": {
                        "Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
                        "${Function.Arn}/invocations"
                    },
                },
            },
        },
        "Deployment": {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": ["Any"],
            "Properties": {"RestApiId": ref("Api")},
        },
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {"RestApiId": ref("Api"), "DeploymentId": ref("Deployment"), "StageName": "prod"},
        },
    }
    outputs = {
        "ApiId": ref("Api"),
        "ApiUrl": {"Fn::Sub": "https://${Api}.execute-api.${AWS::Region}.amazonaws.com/prod/"},
        "AdminKeyParameter": ref("Key"),
        "EndpointName": att("Endpoint", "EndpointName"),
        "TableName": ref("Table"),
        "BucketName": ref("Bucket"),
        "QueueUrl": ref("Queue"),
    }
    return {"Resources": resources, "Outputs": {name: {"Value": value} for name, value in outputs.items()}}


def write_assembly(folder: Path, stack: dict[str, Any]) -> Path:
    """A cloud assembly as `cdk synth` lays it out, with one zip asset and one image that must not matter."""
    source = folder / "asset.function"
    source.mkdir(parents=True, exist_ok=True)
    (source / "function.py").write_text(FUNCTION)
    bucket = "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"
    assets = {
        "files": {
            "function": {
                "source": {"path": "asset.function", "packaging": "zip"},
                "destinations": {"here": {"bucketName": bucket, "objectKey": "function.zip"}},
            }
        },
        "dockerImages": {"image": {"source": {"directory": "missing"}, "destinations": {}}},
    }
    manifest = {
        "artifacts": {
            "Tiny": {
                "type": "aws:cloudformation:stack",
                "properties": {"templateFile": "Tiny.template.json", "stackName": "Tiny"},
                "dependencies": ["Tiny.assets"],
            },
            "Tiny.assets": {"type": "cdk:asset-manifest", "properties": {"file": "Tiny.assets.json"}},
        }
    }
    (folder / "Tiny.template.json").write_text(json.dumps(stack))
    (folder / "Tiny.assets.json").write_text(json.dumps(assets))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


class Tiny:
    """A local cloud with the small stack, and what a test does with it."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        clients = LocalClients(cloud.endpoint_url, cloud.root)
        self.s3 = clients.client("s3")
        self.dynamodb = clients.client("dynamodb")
        self.sagemaker = clients.client("sagemaker")
        self.sqs = clients.client("sqs")
        self.runtime = clients.client("sagemaker-runtime")

    def iam(self) -> Any:
        return self.client("iam")

    def client(self, service: str) -> Any:
        """A client of a service that `LocalClients` does not know."""
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.cloud.endpoint_url,
            region_name=DEFAULT_REGION,
            aws_access_key_id=self.cloud.root().access_key,
            aws_secret_access_key=self.cloud.root().secret_key,
        )

    def submit(self, job: str, request: dict[str, object], *, timeout_seconds: int = 900) -> dict[str, str]:
        """Invoke the endpoint, its answer: output and failure locations."""
        bucket = self.cloud.outputs["BucketName"]
        self.s3.put_object(Bucket=bucket, Key=f"jobs/{job}/request.json", Body=json.dumps(request).encode())
        answer = self.runtime.invoke_endpoint_async(
            EndpointName=self.cloud.endpoint_name,
            InputLocation=f"s3://{bucket}/jobs/{job}/request.json",
            InferenceId=job,
            ContentType="application/json",
            InvocationTimeoutSeconds=timeout_seconds,
        )
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
        assert answer["InferenceId"] == job
        return {"output": answer["OutputLocation"], "failure": answer["FailureLocation"]}

    def message(self, job: str, *, seconds: float = 20) -> dict[str, Any]:
        """SageMaker's message about `job`, as the function found it behind SNS and SQS."""
        found = self.wait(lambda: self.row(job), seconds=seconds)
        message: dict[str, Any] = json.loads(found["message"]["S"])
        return message

    def rows(self, beginning: str) -> list[str]:
        """The keys of the rows that begin so."""
        rows = self.dynamodb.scan(TableName=self.cloud.outputs["TableName"], ConsistentRead=True)["Items"]
        return [row["id"]["S"] for row in rows if row["id"]["S"].startswith(beginning)]

    def row(self, key: str) -> dict[str, Any]:
        found = self.dynamodb.get_item(TableName=self.cloud.outputs["TableName"], Key={"id": {"S": key}})
        return dict(found.get("Item", {}))

    def put_row(self, key: str) -> None:
        self.dynamodb.put_item(TableName=self.cloud.outputs["TableName"], Item={"id": {"S": key}})

    def object(self, location: str) -> bytes:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    @staticmethod
    def wait(look: Callable[[], Any], *, seconds: float = 20) -> Any:
        """The first true value `look` gives."""
        return wait_for(look, "what the test waits for", seconds=seconds, every=0.02)
