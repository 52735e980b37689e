"""Styles of this server's own `styles.csv`: listed as in WebUI, and merged into prompts before the job is sent."""

from collections.abc import Mapping
from typing import Any

from generate_on_cloud.faces.sdapi.refusals import REQUEST_INVALID, RefusalError
from generate_on_cloud.webui.prompt.errors import StyleError
from generate_on_cloud.webui.prompt.styles import Style, apply_styles

_PAIRS = (("prompt", "negative_prompt"), ("hr_prompt", "hr_negative_prompt"))
_UPLOAD = "upload the file instead: goc assets upload styles.csv --type styles"


def style_rows(styles: Mapping[str, Style]) -> list[dict[str, Any]]:
    """`prompt-styles`."""
    return [
        {"name": name, "prompt": style.prompt, "negative_prompt": style.negative_prompt}
        for name, style in styles.items()
    ]


def with_styles(params: Mapping[str, Any], styles: Mapping[str, Style]) -> dict[str, Any]:
    """The params with the styles of this file merged into their prompts; names that it lacks are left to the cloud.

    Raises:
        RefusalError: the result would not be WebUI's (a script changes the prompts first, or a style of the cloud goes
            before one of the file), or a prompt would be too long.
    """
    asked = params.get("styles")
    names = [name for name in asked if isinstance(name, str) and name in styles] if isinstance(asked, list) else []
    texts = [params.get(field) for pair in _PAIRS for field in pair]
    if not isinstance(asked, list) or not names or not all(isinstance(text, str | None) for text in texts):
        return dict(params)  # A prompt that is no text is refused by the cloud.
    if params.get("script_name"):
        raise RefusalError(REQUEST_INVALID, f"styles: received {names[0]!r} with a script, which changes the prompt "
                           f"before styles do; {_UPLOAD}")  # fmt: skip
    if asked[: len(names)] != names:
        raise RefusalError(REQUEST_INVALID, f"styles: received {', '.join(map(str, asked))}; allowed: those of this "
                           f"server's file ({', '.join(names)}) before uploaded ones")  # fmt: skip
    merged = {**params, "styles": asked[len(names) :]}
    try:
        for positive, negative in _PAIRS:
            found = apply_styles(_text(params, positive), _text(params, negative), names=names, styles=styles)
            # An empty prompt of the second pass means the first pass's, which has the styles.
            merged |= {field: text for field, text in zip((positive, negative), found, strict=True)
                       if field in _PAIRS[0] or _text(params, field)}  # fmt: skip
    except StyleError as error:
        raise RefusalError(REQUEST_INVALID, f"styles: {error}") from error
    return merged


def _text(params: Mapping[str, Any], field: str) -> str:
    return params.get(field) or ""
