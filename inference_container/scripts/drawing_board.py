"""What a selectable script works with: the request's params, its drawings, and how its pictures are stored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from PIL import Image

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.limits import MAX_MEGAPIXEL_STEPS, MAX_PICTURES
from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.contract.script_work import script_runs, without_script
from generate_on_cloud.contract.selectable_scripts import Img2ImgAlternative
from generate_on_cloud.webui.infotext.record import GenerationRecord, InfoValue
from inference_container.drawing.drawings import NO_EXTRAS, Drawing, DrawingExtras
from inference_container.drawing.results import encode_result
from inference_container.drawing.seeds import choose_seeds
from inference_container.models.checkpoint import Checkpoint
from inference_container.progress import JobProgress
from inference_container.task import EncodedImage, TaskInput

Params = TypeVar("Params", bound=ImageParams)
Taken_contra = TypeVar("Taken_contra", bound=ImageParams, contravariant=True)


class Draw(Protocol[Taken_contra]):
    """Draws from params: `draw_txt2img` or `draw_img2img`."""

    def __call__(
        self,
        job: TaskInput,
        asked: Taken_contra,
        given: Checkpoint,
        *,
        progress: JobProgress,
        extras: DrawingExtras = NO_EXTRAS,
    ) -> Drawing: ...


@dataclass(frozen=True)
class Finished:
    """The answer of a script."""

    images: tuple[EncodedImage, ...]
    info: dict[str, Any]
    """WebUI's `info` document."""


class DrawingBoard(Generic[Params]):
    """Makes the drawings of one script and counts their steps as one job's."""

    def __init__(
        self, job: TaskInput, params: Params, checkpoint: Checkpoint, *, draw: Draw[Params], progress: JobProgress
    ) -> None:
        """`draw` is that of the task, for params of its kind."""
        self.job, self.progress = job, progress
        self.params: Params = without_script(params)
        self._checkpoint, self._draw, self._script = checkpoint, draw, params.selected_script()
        self._named = params.options.sd_model_checkpoint
        self._drawings: list[Drawing] = []
        self._notes: Mapping[str, InfoValue] = {}
        self._warnings: dict[str, None] = {}

    @property
    def first(self) -> GenerationRecord:
        """How the first drawing was made."""
        return self._drawings[0].record

    @property
    def last(self) -> GenerationRecord:
        """How the last drawing was made."""
        return self._drawings[-1].record

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of all drawings, each once."""
        return tuple(self._warnings)

    def check_size(self, size: tuple[int, int]) -> None:
        """Check the whole work against the limits, now that the init picture's `size` is known.

        Raises:
            JobFailed: invalid_params, if the script cannot draw this or it would be too much.
        """
        try:
            runs = script_runs(self._script, self.params, size=size)
        except ValueError as error:
            raise JobFailed(JobErrorCode.INVALID_PARAMS, str(error)) from error
        pictures = sum(run.params.batch_size * run.params.n_iter * run.times for run in runs if run.draws)
        work = sum(run.params.megapixel_steps() * run.times for run in runs)
        if pictures > MAX_PICTURES or work > MAX_MEGAPIXEL_STEPS:
            raise JobFailed(
                JobErrorCode.INVALID_PARAMS,
                f"received an init picture of {size[0]}x{size[1]}, for which the script draws {pictures} pictures, "
                f"{work:.0f} megapixel-steps; allowed: up to {MAX_PICTURES} and {MAX_MEGAPIXEL_STEPS}",
            )

    def with_fixed_seeds(self) -> Params:
        """The params with a number wherever they ask for a random seed."""
        seeds = choose_seeds(self.params)
        return self.params.model_copy(update={"seed": seeds.seeds[0], "subseed": seeds.subseeds[0]})

    def expect(self, shares: Iterable[float]) -> None:
        """Announce the drawings to come, each by its share of the work."""
        self.progress.split(list(shares))

    def note(self, notes: Mapping[str, InfoValue]) -> None:
        """Infotext entries of the script, which precede those of its drawings."""
        self._notes = notes

    def draw(
        self,
        params: Params,
        *,
        latent_mask: Image.Image | None = None,
        recovery: Img2ImgAlternative | None = None,
    ) -> Drawing:
        """Make one of them; as in WebUI, its infotext also has the entries of those before it.

        Raises:
            JobFailed: it cannot be drawn, or the job was canceled.
        """
        extras = DrawingExtras(self._notes, latent_mask, recovery)
        checkpoint = self._checkpoint_of(params)
        drawing = self._draw(self.job, params, checkpoint, progress=self.progress, extras=extras)
        self._notes = drawing.record.extra
        self._drawings = [*self._drawings[:1], drawing]
        self._warnings |= dict.fromkeys(drawing.warnings)
        return drawing

    def _checkpoint_of(self, params: Params) -> Checkpoint:
        """The job's checkpoint, or the other one that a drawing names."""
        name = params.options.sd_model_checkpoint
        if name == self._named:
            return self._checkpoint
        with self.progress.phase(JobPhase.LOADING_MODELS):
            return self.job.models.checkpoint(self.job.files.named(AssetType.CHECKPOINT, name))

    def store(
        self,
        images: Sequence[Image.Image],
        *,
        infotexts: Sequence[str],
        seeds: Sequence[int | None],
        inside: Sequence[str] | None = None,
    ) -> tuple[EncodedImage, ...]:
        """Encode pictures with their `infotexts`, or with another text `inside` the file, "" for none.

        Raises:
            JobFailed: invalid_params, if the format does not support such a picture.
        """
        with self.progress.phase(JobPhase.SAVING):
            return tuple(
                replace(encode_result(image, self.params, infotext=written, seed=seed), infotext=text)
                for image, text, seed, written in zip(images, infotexts, seeds, inside or infotexts, strict=True)
            )


def drawing_shares(drawings: Sequence[ImageParams]) -> list[float]:
    """The share of each drawing in the work of all."""
    return [float(one.steps * one.n_iter) for one in drawings]
