"""Requests whose answers differ from WebUI's on purpose; docs/fidelity.md explains each of them."""

from fnmatch import fnmatchcase

DELIBERATE: dict[str, str] = {
    "networks/dora_out_*": "WebUI misreads DoRA files with a length for each output; we follow their authors",
    "networks/lora_twice": "each tag has its own weight; in WebUI the last tag's weight counts for all of one file",
    "networks/oft_kohya_*": "WebUI does not know OFT files with diffusers' names and draws without them; we apply them",
    "p2p/edit_lora": "WebUI leaves out a conv_in of 4 channels on InstructPix2Pix; we pad it, as for inpainting",
    "sd2v/s_LCM": "WebUI's LCM reads the answer of a v-prediction model as noise; we read it as v",
    "xl/lora_qv": "WebUI drops q and v of the second text encoder where k or out is missing; we apply them",
}
"""Reasons by name, `set/request`, with `*` for any text."""


def deliberate_reason(name: str) -> str | None:
    """Why our answer differs from WebUI's on purpose; None if it should not differ."""
    return next((reason for pattern, reason in DELIBERATE.items() if fnmatchcase(name, pattern)), None)
