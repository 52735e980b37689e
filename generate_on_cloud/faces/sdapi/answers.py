"""From a finished job and its pictures to WebUI's answer."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from generate_on_cloud.contract.job_bodies import ResultView
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from generate_on_cloud.faces.sdapi.orders import Order

_NULL_BY_DEFAULT = ("styles", "override_settings", "comments")
"""Fields whose default is null in WebUI's echo and empty in our contract."""
_PICTURES = ("init_images", "mask")


def drawing_answer(order: Order, result: ResultView, pictures: Sequence[bytes]) -> dict[str, Any]:
    """The answer of `txt2img` and `img2img`; `pictures` are the result's, in order."""
    # Styles that were merged before the job was sent are not in its own info.
    styles = order.body.get("styles")
    asked = {"styles": styles} if styles != order.params.get("styles") else {}
    return {
        "images": [in_base64(one) for one in pictures] if order.wants_images else [],
        "parameters": echo(order, result.parameters),
        "info": json.dumps({**result.info, **asked}, default=str, ensure_ascii=False),
    }


def extras_answer(result: ResultView, pictures: Sequence[bytes]) -> dict[str, Any]:
    """The answer of `extra-single-image`."""
    return {"html_info": html_info(result), "image": in_base64(pictures[0]) if pictures else ""}


def batch_answer(results: Sequence[ResultView], pictures: Sequence[bytes]) -> dict[str, Any]:
    """The answer of `extra-batch-images`: WebUI gives the text of the last picture."""
    return {"html_info": html_info(results[-1]), "images": [in_base64(one) for one in pictures]}


def interrogation_answer(result: ResultView) -> dict[str, Any]:
    """The answer of `interrogate`."""
    return {"caption": result.caption or ""}


def html_info(result: ResultView) -> str:
    """The line of the Extras tab."""
    return str(result.info.get("html_info", ""))


def echo(order: Order, drawn: Mapping[str, Any]) -> dict[str, Any]:
    """`parameters`: every field of the request with WebUI's defaults; `drawn` has what an infotext filled in."""
    fields = PARAMS_BY_TASK[order.task].model_fields
    said: dict[str, Any] = {}
    for name, rule in fields.items():
        if order.body.get(name) is not None:
            said[name] = order.body[name]
        elif order.body.get("infotext") and name in drawn:
            said[name] = drawn[name]
        elif name in _NULL_BY_DEFAULT:
            said[name] = None
        else:
            said[name] = rule.get_default(call_default_factory=True)
    if order.task is Task.IMG2IMG and not said.get("include_init_images"):
        said |= dict.fromkeys(_PICTURES)
    return said


def in_base64(picture: bytes) -> str:
    """The picture as WebUI sends it, without a `data:` prefix."""
    return base64.b64encode(picture).decode("ascii")
