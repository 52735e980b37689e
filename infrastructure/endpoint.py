"""The GPU endpoint: image, model, SageMaker asynchronous endpoint, and its scaling to and from zero."""

from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from inference_container.settings import ContainerSettings
from infrastructure.bundling import ROOT
from infrastructure.config import ConfigError, StageConfig
from infrastructure.endpoint_image import ECR_IMAGE
from infrastructure.findings import acknowledge
from infrastructure.handover import CoreValues
from infrastructure.network import add_network
from lambdas.endpoints.scaling import DIMENSION, GROW, NAMESPACE, PERIOD_SECONDS, scaling_steps

STARTUP_SECONDS: Final = 1800
"""Enough to pull an image of 10 GB and to warm up."""
_PULL: Final = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


class Endpoint(Construct):
    """One SageMaker endpoint; a new image or instance type changes its configuration but never its name."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: StageConfig,
        core: CoreValues,
    ) -> None:
        super().__init__(scope, construct_id)
        self._config = config
        role = iam.Role.from_role_name(self, "ContainerRole", core.container_role)
        key = kms.Key.from_key_arn(self, "Key", core.key_arn) if core.key_arn else None
        settings = ContainerSettings(
            JOBS_BUCKET=core.jobs_bucket,
            ASSETS_BUCKET=core.assets_bucket,
            JOBS_TABLE=core.jobs_table,
            PRELOAD=f"assets/{config.preload}" if config.preload else "",
            COMPILE_UNET=config.compile_unet,
            WORKERS=config.workers,
            STACK=config.stack_name,
            OTEL_EXPORTER_OTLP_ENDPOINT=config.otlp_endpoint or "",
            GPU_PRICE_PER_HOUR=config.price_per_hour / config.workers,
        )
        image_uri, repository_arn = self._image()
        joined = add_network(self, config=config, role=role, key=key)
        model = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=role.role_arn,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                image=image_uri, environment=settings.environment()
            ),
            vpc_config=None
            if joined is None
            else sagemaker.CfnModel.VpcConfigProperty(
                subnets=joined[0].subnet_ids, security_group_ids=joined[0].security_group_ids
            ),
        )
        # SageMaker starts the image when the model is created.
        model.node.add_dependency(self._pull_policy(role, repository_arn))
        if joined is not None:
            model.node.add_dependency(joined[1])
        endpoint_config = sagemaker.CfnEndpointConfig(
            self,
            "Config",
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=config.variant,
                    model_name=model.attr_model_name,
                    instance_type=config.instance_type,
                    initial_instance_count=max(1, config.min_instances),
                    initial_variant_weight=1.0,
                    container_startup_health_check_timeout_in_seconds=STARTUP_SECONDS,
                    inference_ami_version=config.inference_ami,
                )
            ],
            async_inference_config=sagemaker.CfnEndpointConfig.AsyncInferenceConfigProperty(
                client_config=sagemaker.CfnEndpointConfig.AsyncInferenceClientConfigProperty(
                    max_concurrent_invocations_per_instance=config.workers
                ),
                output_config=sagemaker.CfnEndpointConfig.AsyncInferenceOutputConfigProperty(
                    kms_key_id=key.key_arn if key else None,
                    s3_output_path=f"s3://{core.jobs_bucket}/endpoint-output",
                    s3_failure_path=f"s3://{core.jobs_bucket}/endpoint-failure",
                    notification_config=sagemaker.CfnEndpointConfig.AsyncInferenceNotificationConfigProperty(
                        success_topic=core.success_topic_arn, error_topic=core.error_topic_arn
                    ),
                ),
            ),
        )
        self.endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=config.default_endpoint,
            endpoint_config_name=endpoint_config.attr_endpoint_config_name,
            # A new image must not reset the number of instances that scaling has chosen.
            retain_all_variant_properties=True,
        )
        self.name = self.endpoint.attr_endpoint_name
        self._scale()

    def _image(self) -> tuple[str, str]:
        """The image's URI and its repository's ARN."""
        if self._config.image_uri:
            return self._config.image_uri, self._repository_arn(self._config.image_uri)
        asset = ecr_assets.DockerImageAsset(
            self,
            "Image",
            directory=str(ROOT),
            file="inference_container/Dockerfile",
            platform=ecr_assets.Platform.LINUX_AMD64,
            build_args={"BARE_GROUPS": "upscalers noncommercial"} if self._config.noncommercial_models else None,
            # SageMaker refuses OCI manifests ("unsupported manifest media type"), which current Docker versions push.
            outputs=["type=docker"],
        )
        return asset.image_uri, asset.repository.repository_arn

    def _pull_policy(self, role: iam.IRole, repository_arn: str) -> iam.Policy:
        """The permission to pull the image; it is in this stack, like the image."""
        policy = iam.Policy(
            self,
            "Pull",
            roles=[role],
            statements=[
                iam.PolicyStatement(actions=list(_PULL), resources=[repository_arn]),
                iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"]),
            ],
        )
        acknowledge(policy, "IAM5[Resource::*]", "ECR's login supports no resource")
        return policy

    def _repository_arn(self, image_uri: str) -> str:
        found = ECR_IMAGE.match(image_uri)
        if not found:
            message = f"-c image_uri: received {image_uri!r}; allowed: an image in a private ECR repository"
            raise ConfigError(message)
        return Stack.of(self).format_arn(
            service="ecr",
            resource="repository",
            account=found["account"],
            region=found["region"],
            resource_name=found["name"],
        )

    def _scale(self) -> None:
        """Scale from 0 to n instances with our own alarms; those of target tracking take 15 minutes to scale in."""
        target = scaling.CfnScalableTarget(
            self,
            "Instances",
            service_namespace="sagemaker",
            scalable_dimension=DIMENSION,
            resource_id=f"endpoint/{self.name}/variant/{self._config.variant}",
            min_capacity=self._config.min_instances,
            max_capacity=self._config.max_instances,
        )
        # With one instance at most there is nothing to grow to, and an alarm is billed.
        steps = [step for step in scaling_steps(self._config) if step.name != GROW or self._config.max_instances > 1]
        for step in steps:
            policy = scaling.CfnScalingPolicy(
                self,
                step.name,
                policy_name=step.name,
                policy_type="StepScaling",
                scaling_target_id=target.ref,
                step_scaling_policy_configuration=scaling.CfnScalingPolicy.StepScalingPolicyConfigurationProperty(
                    adjustment_type=step.adjustment_type,
                    metric_aggregation_type=step.statistic,
                    cooldown=step.cooldown_seconds,
                    step_adjustments=[
                        scaling.CfnScalingPolicy.StepAdjustmentProperty(
                            scaling_adjustment=step.adjustment,
                            metric_interval_lower_bound=None if step.from_above else 0,
                            metric_interval_upper_bound=0 if step.from_above else None,
                        )
                    ],
                ),
            )
            cloudwatch.CfnAlarm(
                self,
                f"{step.name}Alarm",
                alarm_description=step.why,
                namespace=NAMESPACE,
                metric_name=step.metric,
                dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name="EndpointName", value=self.name)],
                statistic=step.statistic,
                period=PERIOD_SECONDS,
                evaluation_periods=step.minutes,
                datapoints_to_alarm=step.minutes,
                threshold=step.threshold,
                comparison_operator=step.comparison,
                treat_missing_data="missing",
                alarm_actions=[policy.ref],
            )
