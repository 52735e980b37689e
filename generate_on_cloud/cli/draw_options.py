"""The options of the commands that send jobs, and what they make of the job's body."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from generate_on_cloud.cli.api_command import field_value
from generate_on_cloud.cli.completion import checkpoint_names, endpoint_names, sampler_names, scheduler_names
from generate_on_cloud.cli.defaults import Defaults
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.webhooks import Webhook

Option = typer.Option


@dataclass(frozen=True)
class LookOptions:
    """How the pictures look: WebUI's fields."""

    negative: Annotated[str | None, Option("--negative", "-n", metavar="TEXT", help="The negative prompt.")] = None
    width: Annotated[int | None, Option(metavar="PIXELS", help="Width; the API's default is 512.")] = None
    height: Annotated[int | None, Option(metavar="PIXELS", help="Height; the API's default is 512.")] = None
    steps: Annotated[int | None, Option(metavar="N", help="Steps; the API's default is 50.")] = None
    seed: Annotated[int | None, Option(metavar="N", help="Seed; without it each job has a random one.")] = None
    sampler: Annotated[
        str | None, Option(metavar="NAME", help="DPM++ 2M, Euler a, …", autocompletion=sampler_names)
    ] = None
    scheduler: Annotated[
        str | None, Option(metavar="NAME", help="Karras, Exponential, …", autocompletion=scheduler_names)
    ] = None
    cfg_scale: Annotated[float | None, Option(metavar="X", help="How closely to follow the prompt.")] = None
    batch_size: Annotated[int | None, Option(metavar="N", help="Pictures drawn at once.")] = None
    count: Annotated[int | None, Option("--count", metavar="N", help="Batches drawn one after the other.")] = None
    fields: Annotated[
        list[str] | None,
        Option(
            "--set", metavar="FIELD=VALUE", help="Any other field of WebUI's request; JSON values are read as such."
        ),
    ] = None
    params: Annotated[
        Path | None,
        Option(metavar="FILE", help="WebUI's request as JSON, which the options change.", exists=True, dir_okay=False),
    ] = None

    def body(self, defaults: Defaults) -> dict[str, Any]:
        """WebUI's request: the file, over it the options, and the defaults for what neither says.

        Raises:
            CloudError: the file is no JSON object, or a field has no name.
        """
        named = {
            "negative_prompt": self.negative, "width": self.width, "height": self.height, "steps": self.steps,
            "seed": self.seed, "sampler_name": self.sampler, "scheduler": self.scheduler, "cfg_scale": self.cfg_scale,
            "batch_size": self.batch_size, "n_iter": self.count,
        }  # fmt: skip
        given = {name: value for name, value in named.items() if value is not None}
        file = {} if self.params is None else read_params(self.params.read_text(encoding="utf-8-sig"), str(self.params))
        return {**defaults.params, **file, **given, **set_fields(self.fields)}


@dataclass(frozen=True)
class SendOptions:
    """How a job is sent and what happens then."""

    checkpoint: Annotated[
        str | None,
        Option(metavar="NAME", help="Checkpoint: id or file name.", autocompletion=checkpoint_names),
    ] = None
    endpoint: Annotated[
        str | None,
        Option(
            metavar="NAME", help="Endpoint; else your default, else the least loaded.", autocompletion=endpoint_names
        ),
    ] = None
    wait: Annotated[bool, Option("--wait", help="Wait until the pictures are drawn.")] = False
    save: Annotated[
        Path | None, Option(metavar="FOLDER", help="Wait, and save the pictures there.", file_okay=False)
    ] = None
    name: Annotated[
        str | None, Option(metavar="PATTERN", help="File names by WebUI's patterns; [seed]-[prompt_spaces].")
    ] = None
    preview: Annotated[bool, Option("--preview", help="Wait, and show the picture while it is drawn.")] = False
    dry_run: Annotated[bool, Option("--dry-run", help="Check all, estimate time and cost; create nothing.")] = False
    strict: Annotated[bool, Option("--strict", help="Refuse what would else be ignored with a warning.")] = False
    idempotency_key: Annotated[
        str | None, Option(metavar="KEY", help="The same key within a day creates the same job only once.")
    ] = None
    ttl: Annotated[int | None, Option(metavar="SECONDS", help="How long a job may wait for a worker.")] = None
    timeout: Annotated[int | None, Option(metavar="SECONDS", help="How long a job may run.")] = None
    retries: Annotated[
        int | None, Option(metavar="N", help="How often to try again after a lost worker; the API's default is 1.")
    ] = None
    metadata: Annotated[
        list[str] | None, Option(metavar="NAME=VALUE", help="A note that comes back with the job; may be repeated.")
    ] = None
    label: Annotated[str | None, Option(metavar="TEXT", help="A name for the job, which lists can search.")] = None
    webhook: Annotated[str | None, Option(metavar="URL", help="https URL to call when the job finishes.")] = None

    @property
    def waits(self) -> bool:
        return (self.wait or self.preview or self.save is not None) and not self.dry_run

    def folder(self, defaults: Defaults) -> Path | None:
        """Where pictures go; None: nowhere."""
        return (self.save or defaults.out) if self.waits else None

    def job(self, task: Task, params: dict[str, Any], defaults: Defaults) -> CreateJob:
        """The body of `POST /v1/jobs`.

        Raises:
            CloudError: a note has no name, or a value is out of range.
        """
        draws = task in (Task.TXT2IMG, Task.IMG2IMG)
        named_in_params = (params.get("override_settings") or {}).get("sd_model_checkpoint")
        checkpoint = self.checkpoint or (defaults.checkpoint if draws and not named_in_params else None)
        return CreateJob(
            task=task, params=params, checkpoint=checkpoint, endpoint=self.endpoint or defaults.endpoint,
            preview=self.preview, dry_run=self.dry_run, strict=self.strict, ttl_s=self.ttl, run_timeout_s=self.timeout,
            label=self.label or "", **({} if self.retries is None else {"retries": self.retries}),
            metadata={name: str(value) for name, value in map(note, self.metadata or [])},
            webhook=Webhook(url=self.webhook) if self.webhook else None,
        )  # fmt: skip


def read_params(text: str, source: str) -> dict[str, Any]:
    """WebUI's request from a file.

    Raises:
        CloudError: it is no JSON object.
    """
    try:
        body = json.loads(text)
    except ValueError as error:
        raise CloudError(f"{source} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise CloudError(f"{source} contains a {type(body).__name__}; allowed: a JSON object")
    return body


def set_fields(fields: list[str] | None) -> dict[str, Any]:
    """The fields of `--set`; `a.b=1` sets `b` inside the object `a`.

    Raises:
        CloudError: one has no name or no `=`.
    """
    found: dict[str, Any] = {}
    for name, value in map(field_value, fields or []):
        *path, last = name.split(".")
        inside = found
        for step in path:
            inside = inside.setdefault(step, {})
        inside[last] = value
    return found


def note(text: str) -> tuple[str, str]:
    """A note of a job, `NAME=VALUE`.

    Raises:
        CloudError: there is no name or no `=`.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise CloudError(f"a note: received {text!r}; allowed: NAME=VALUE")
    return name, value
