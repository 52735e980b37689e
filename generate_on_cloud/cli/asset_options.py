"""Options of model files and endpoints that several commands share."""

from typing import Annotated

import typer

from generate_on_cloud.cli.completion import asset_types, role_names, user_names
from generate_on_cloud.contract.assets import PredictionType

PredictionOption = Annotated[
    PredictionType | None,
    typer.Option(help="What a checkpoint predicts; by default what the .yaml next to it or the file itself says."),
]
TypeOption = Annotated[
    str,
    typer.Option(
        "--type", metavar="TYPE", autocompletion=asset_types, help="checkpoint, vae, lora, … or WebUI's folder name."
    ),
]
AllowedUsers = Annotated[
    list[str] | None,
    typer.Option(
        "--user", metavar="USER", autocompletion=user_names,
        help="Only they may use it; replaces the list; may be repeated.",
    ),
]  # fmt: skip
AllowedRoles = Annotated[
    list[str] | None,
    typer.Option(
        "--role", metavar="ROLE", autocompletion=role_names,
        help="Only they may use it; replaces the list; may be repeated.",
    ),
]  # fmt: skip
