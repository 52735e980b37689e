"""The table of tasks and their runners."""

from collections.abc import Mapping
from types import MappingProxyType

from generate_on_cloud.contract.jobs import Task
from inference_container.task import TaskRunner
from inference_container.tasks.extra_batch_images import extra_batch_images
from inference_container.tasks.extra_single_image import extra_single_image
from inference_container.tasks.img2img import img2img
from inference_container.tasks.interrogate_clip import interrogate_clip
from inference_container.tasks.interrogate_deepbooru import interrogate_deepbooru
from inference_container.tasks.txt2img import txt2img

TASKS: Mapping[Task, TaskRunner] = MappingProxyType(
    {
        Task.TXT2IMG: txt2img,
        Task.IMG2IMG: img2img,
        Task.INTERROGATE_CLIP: interrogate_clip,
        Task.INTERROGATE_DEEPBOORU: interrogate_deepbooru,
        Task.EXTRA_SINGLE_IMAGE: extra_single_image,
        Task.EXTRA_BATCH_IMAGES: extra_batch_images,
    }
)
