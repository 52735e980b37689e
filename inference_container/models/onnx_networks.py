"""ONNX networks of preprocessors: each run is a child process, whose end costs the job and not the worker."""

import io
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import inference_container
from generate_on_cloud.contract.errors import JobFailed
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.model_files.file_bytes import FileBytes
from generate_on_cloud.model_files.onnx_preprocessors import OnnxPreprocessor, read_onnx_preprocessor
from inference_container.models.files import ModelFile
from inference_container.models.onnx_child import REFUSED
from inference_container.models.tensor_file import incompatible, refusals_of

MODULE = "inference_container.models.onnx_child"
CPU_SECONDS, CPU_SECONDS_EACH = 60, 10
"""For the start and for each picture; the published networks take some ten seconds of a processor and two."""
MEMORY_BYTES = 6 * 2**30
WALL_SECONDS = 120.0
Numbers = npt.NDArray[np.float32]
Raw = bytes
_ROOT = Path(inference_container.__file__).parents[1]


@dataclass(frozen=True)
class OnnxNetwork:
    """A network that stays in its file."""

    file: ModelFile
    sees: OnnxPreprocessor

    @property
    def bytes(self) -> int:
        """It takes no memory between its runs."""
        return 0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels of the pictures that it sees."""
        return self.sees.width, self.sees.height

    def answers(self, pictures: Numbers) -> list[Numbers]:
        """The outputs for pictures (n, 3, height, width), the first axis of each being n.

        Raises:
            JobFailed: asset_incompatible, if the network cannot be run within the limits.
        """
        seconds = CPU_SECONDS + CPU_SECONDS_EACH * len(pictures)
        command = (sys.executable, "-m", MODULE, str(self.file.path.absolute()), str(seconds), str(MEMORY_BYTES))
        buffer = io.BytesIO()
        np.save(buffer, pictures)
        try:
            ended = subprocess.run(  # noqa: S603 - our own program; the file's path is ours, too
                command, cwd=_ROOT, env={}, input=buffer.getvalue(), capture_output=True, timeout=WALL_SECONDS,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise self._over(seconds) from error
        if ended.returncode == REFUSED:
            reason = ended.stderr.decode("utf-8", errors="replace")
            raise incompatible(self.file, f"its network cannot be run: {reason}")
        if ended.returncode != 0:
            raise self._over(seconds)
        return self._checked(ended.stdout, len(pictures))

    def _checked(self, data: Raw, count: int) -> list[Numbers]:
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as answered:
                outputs = [answered[name] for name in answered.files]
        except (ValueError, zipfile.BadZipFile) as error:
            raise incompatible(self.file, f"its network's outputs cannot be read ({error})") from error
        shapes = [output.shape for output in outputs]
        if not self.sees.gives(shapes) or any(o.dtype != np.float32 or len(o) != count for o in outputs):
            raise incompatible(
                self.file, f"its network's outputs have the shapes {str(shapes)[:200]}, unlike what it says"
            )
        return outputs

    def _over(self, seconds: int) -> JobFailed:
        return incompatible(
            self.file,
            f"its network cannot be run in {seconds} seconds of a processor and {MEMORY_BYTES // 2**20} MiB of memory",
        )


def load_onnx_network(file: ModelFile, family: Family) -> OnnxNetwork:
    """Check a file as at its upload.

    Raises:
        JobFailed: asset_corrupt or asset_incompatible.
    """
    with refusals_of(file):
        sees = read_onnx_preprocessor(FileBytes(file.path))
    if sees.family is not family:
        raise incompatible(file, f"it holds {sees.family}, not {family}")
    return OnnxNetwork(file, sees)
