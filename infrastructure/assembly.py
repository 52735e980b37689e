"""The CDK app as one function: from context to a synthesised assembly."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from cdk_nag import AwsSolutionsChecks

from infrastructure.bundling import AWS, LOCAL, ROOT, build_bundle
from infrastructure.config import StageConfig
from infrastructure.stack import GenerateOnCloudStack


def synthesise(*, outdir: Path | None = None, context: Mapping[str, object] | None = None) -> Path:
    """Build the app, check it with cdk-nag and write the assembly.

    Args:
        outdir: None takes the CDK CLI's choice, or `cdk.out` without the CLI.
        context: overrides of cdk.json's context; `local` is "true" for a bundle that runs on this machine, every
            other name is a field of `StageConfig`. The CLI's own `-c` wins over it.

    Returns:
        The folder of the assembly.

    Raises:
        ConfigError: a context name or value is not allowed.
        BundleError: the Lambda bundle cannot be built.
    """
    settled = json.loads((ROOT / "cdk.json").read_text())["context"] | dict(context or {})
    app = cdk.App(
        context=settled, outdir=str(outdir) if outdir else None, analytics_reporting=False, tree_metadata=False
    )
    every = app.node.get_all_context()
    config = StageConfig.from_context(every)
    bundle = build_bundle(platform=LOCAL if str(every.get("local", "false")).lower() == "true" else AWS)
    GenerateOnCloudStack(
        app,
        config.stack_name,
        config=config,
        code=lambda_.Code.from_asset(
            str(bundle.path), asset_hash=bundle.hash, asset_hash_type=cdk.AssetHashType.CUSTOM
        ),
        version=read_version(),
        # CloudFormation takes templates of up to 51,200 bytes directly.
        suppress_template_indentation=True,
        description="Generate on Cloud: img2img, inpaint, txt2img and interrogation as a service",
    )
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return Path(app.synth().directory)


def read_version() -> str:
    """The version in pyproject.toml."""
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version
