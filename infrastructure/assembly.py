"""The CDK app as one function: from context to a synthesised assembly."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from cdk_nag import AwsSolutionsChecks

from generate_on_cloud import __version__
from infrastructure.bundling import AWS, LOCAL, ROOT, SDAPI, Bundle, build_bundle
from infrastructure.config import ConfigError, StageConfig
from infrastructure.console import build_console_bundle
from infrastructure.inference import InferenceStack
from infrastructure.kept_options import given_options
from infrastructure.ops import OpsStack
from infrastructure.regions import refuse_absent
from infrastructure.stack import GenerateOnCloudStack


def synthesise(*, outdir: Path | None = None, context: Mapping[str, object] | None = None) -> Path:
    """Build the app, check it with cdk-nag and write the assembly.

    Args:
        outdir: None uses the CDK CLI's choice, or `cdk.out` in the repository without the CLI.
        context: overrides cdk.json's context; `local` is "true" for a bundle that runs on this machine, every other
            name is a field of `StageConfig`. The CLI's own `-c` takes precedence.

    Returns:
        The folder of the assembly.

    Raises:
        ConfigError: a context name or value is not allowed, or not available in this region.
        BundleError: the Lambda bundle cannot be built.
    """
    settled = json.loads((ROOT / "cdk.json").read_text())["context"] | dict(context or {})
    app = cdk.App(
        context=settled,
        outdir=str(output_folder(outdir)),
        analytics_reporting=False,
        tree_metadata=False,
        # Takes longer than everything else; the tests check the template with cfn-lint, which knows more.
        builtin_cloud_formation_validation=False,
    )
    every = app.node.get_all_context()
    config = StageConfig.from_context(every)
    # The CDK CLI says where it will deploy; the templates are the same for every region.
    refuse_absent(config, region=os.environ.get("CDK_DEFAULT_REGION"))
    platform = LOCAL if read_local(every) else AWS
    bundle = build_bundle(platform=platform)
    core = GenerateOnCloudStack(
        app,
        config.stack_name,
        config=config,
        code=_code(bundle),
        console_code=_code(build_console_bundle()),
        sdapi_code=_code(build_bundle(SDAPI, platform=platform)) if config.sdapi else None,
        version=__version__,
        given=given_options(every),
    )
    for construct, suffix in ((InferenceStack, "Inference"), (OpsStack, "Ops")):
        above = construct(app, f"{config.stack_name}-{suffix}", config=config, values=core.values)
        above.add_stack_dependency(core)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    assembly = Path(app.synth().directory)
    remove_stale_assets(assembly)
    return assembly


def _code(bundle: Bundle) -> lambda_.Code:
    return lambda_.Code.from_asset(str(bundle.path), asset_hash=bundle.hash, asset_hash_type=cdk.AssetHashType.CUSTOM)


def output_folder(asked: Path | None) -> Path:
    """Where the assembly goes: as requested, as the CDK CLI says, or `cdk.out`; the CDK itself would use /tmp."""
    return asked or Path(os.environ.get("CDK_OUTDIR") or ROOT / "cdk.out")


def remove_stale_assets(assembly: Path) -> None:
    """Delete asset folders of earlier syntheses that no manifest names any more; each is as big as a whole bundle."""
    named = {
        asset["source"]["directory" if kind == "dockerImages" else "path"]
        for manifest in assembly.glob("*.assets.json")
        for kind in ("files", "dockerImages")
        for asset in json.loads(manifest.read_text()).get(kind, {}).values()
    }
    for folder in assembly.glob("asset.*"):
        if folder.name not in named:
            shutil.rmtree(folder)


def read_local(context: Mapping[str, object]) -> bool:
    """Whether the bundle is for this machine.

    Raises:
        ConfigError: `local` is neither true nor false.
    """
    value = str(context.get("local", "false")).lower()
    if value not in {"true", "false"}:
        message = f"-c local: received {value!r}; allowed: true, false"
        raise ConfigError(message)
    return value == "true"
