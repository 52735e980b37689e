"""The caller's page of options: what `POST /sdapi/v1/options` chose, for the requests that follow."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from generate_on_cloud.contract.errors import FieldError
from generate_on_cloud.contract.idle_options import AT_REST
from generate_on_cloud.contract.interrogation import InterrogateOptions
from generate_on_cloud.contract.options import OPTIONS, OptionRefusedError, check_option
from generate_on_cloud.faces.sdapi.refusals import RefusalError, of_fields
from generate_on_cloud.faces.sdapi.shelf import Shelf, title

CHECKPOINT = "sd_model_checkpoint"
_HASH = "sd_checkpoint_hash"
_READ_BY_CLIENTS: Mapping[str, Any] = {
    "samples_save": False,
    "samples_filename_pattern": "",
    "save_to_dirs": False,
    "grid_save": False,
    "grid_format": "png",
    "outdir_samples": "",
    "outdir_txt2img_samples": "outputs/txt2img-images",
    "outdir_img2img_samples": "outputs/img2img-images",
    "outdir_extras_samples": "outputs/extras-images",
    "export_for_4chan": False,
    "live_previews_enable": True,
    "show_progress_every_n_steps": 10,
    "show_progress_type": "Approx NN",
    "live_preview_refresh_period": 1000.0,
    "sd_checkpoints_limit": 1,
    "sd_checkpoint_cache": 0,
    "hide_samplers": [],
}
"""Options without effect that some clients look up, with WebUI's defaults (saving is off: nothing is kept here)."""


@dataclass(frozen=True)
class Settings:
    """The options that one caller has chosen."""

    chosen: Mapping[str, Any] = field(default_factory=dict)
    last_checkpoint: str | None = None
    """File name of the checkpoint that the caller's latest job used."""

    def changed(self, wanted: Mapping[str, Any], shelf: Shelf) -> tuple["Settings", list[str]]:
        """These settings with `wanted`, and the names among them that have no effect here.

        Raises:
            RefusalError: an option has a value that is not allowed, or the checkpoint does not exist.
        """
        kept, idle, faults = dict(self.chosen), [], []
        for name, value in wanted.items():
            if name == CHECKPOINT:
                kept[name] = title(shelf.checkpoint(str(value))) if value not in (None, "", "None") else ""
                continue
            if name == _HASH:
                continue  # follows the checkpoint
            try:
                kept[name] = _checked(name, value)
            except OptionRefusedError as error:
                faults.append(FieldError(pointer=f"/{name}", message=str(error)))
            if not _acts(name):
                idle.append(name)
        if faults:
            raise of_fields(faults)
        return replace(self, chosen=kept), idle

    def used(self, checkpoint: str) -> "Settings":
        """These settings after a job with this checkpoint."""
        return replace(self, last_checkpoint=checkpoint)

    def shown(self, shelf: Shelf) -> dict[str, Any]:
        """`GET /sdapi/v1/options`: every option that clients read, with the values in force."""
        at_rest = {name: values[0] for name, values in AT_REST.items()}
        defaults = {name: rule.default for name, rule in OPTIONS.items()} | _interrogation(InterrogateOptions())
        shown = {**at_rest, **_READ_BY_CLIENTS, **defaults, **self.chosen}
        try:
            now = shelf.default_checkpoint(chosen=self.chosen.get(CHECKPOINT), last=self.last_checkpoint)
        except RefusalError:
            return {**shown, CHECKPOINT: None, _HASH: ""}
        return {**shown, CHECKPOINT: title(now), _HASH: now.sha256 or ""}

    def for_drawing(self) -> dict[str, Any]:
        """What becomes `override_settings` of a job that draws, below the request's own."""
        return {
            name: value
            for name, value in self.chosen.items()
            if name in OPTIONS and name != CHECKPOINT and value != OPTIONS[name].default
        }

    def for_interrogation(self) -> dict[str, Any]:
        """The same for an interrogation."""
        return {name: value for name, value in self.chosen.items() if name in InterrogateOptions.model_fields}


def _acts(name: str) -> bool:
    return (
        name in OPTIONS or name in InterrogateOptions.model_fields or name in AT_REST or name == "live_previews_enable"
    )


def _checked(name: str, value: Any) -> Any:
    if name in OPTIONS:
        return OPTIONS[name].default if value is None else check_option(name, value)
    if name in InterrogateOptions.model_fields:
        try:
            return _interrogation(InterrogateOptions(**{name: value}))[name]
        except ValidationError as error:
            raise OptionRefusedError(f"received {value!r}: {error.errors()[0]['msg']}") from error
    if name in AT_REST and value is not None and value not in AT_REST[name]:
        allowed = " or ".join(map(repr, AT_REST[name]))
        raise OptionRefusedError(f"{name} = {value!r} is not supported yet; allowed: {allowed}")
    return value


def _interrogation(options: InterrogateOptions) -> dict[str, Any]:
    return options.model_dump()
