"""Completes the params of a task that draws from their infotext."""

from typing import TypeVar

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.webui.infotext.fill import fill_in

Params = TypeVar("Params", bound=ImageParams)


def complete_params(params: Params) -> Params:
    """Fill the open fields of `params` from their `infotext`, if they have one.

    Raises:
        JobFailed: invalid_params or not_supported_yet, if the infotext requests something that is not possible.
    """
    if not params.infotext:
        return params
    try:
        params = fill_in(params)
    except ValueError as error:
        raise JobFailed(JobErrorCode.INVALID_PARAMS, f"infotext: {error}") from error
    unsupported = params.unsupported()
    if unsupported:
        message = "; ".join(field.message for field in unsupported)
        raise JobFailed(JobErrorCode.NOT_SUPPORTED_YET, f"infotext: {message}")
    return params
