"""WebUI's options for Interrogate CLIP and Interrogate DeepBooru, with its defaults and ranges (semantics §6)."""

from pydantic import BaseModel, ConfigDict, Field, model_validator

from generate_on_cloud.contract.suggestions import nearest


class InterrogateOptions(BaseModel):
    """`override_settings` of the interrogate tasks. Each task reads its own options and ignores the other's."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    interrogate_keep_models_in_memory: bool = False
    """Has no effect: a worker keeps its loaded models while they fit."""
    interrogate_return_ranks: bool = False
    """Write `(name:0.123)` instead of the name alone."""
    interrogate_clip_num_beams: int = Field(default=1, ge=1, le=16)
    interrogate_clip_min_length: int = Field(default=24, ge=1, le=128)
    """Tokens of the caption, including those of "a picture of" and the start token."""
    interrogate_clip_max_length: int = Field(default=48, ge=1, le=256)
    interrogate_clip_dict_limit: int = Field(default=1500, ge=0)
    """How many lines of each list are used; 0: all."""
    interrogate_clip_skip_categories: list[str] = []
    """Lists to skip, by file name without `.txt`."""
    interrogate_deepbooru_score_threshold: float | None = Field(default=None, ge=0, le=1)
    """None: the tagger's usual threshold, which for DeepDanbooru is WebUI's default of 0.5."""
    deepbooru_sort_alpha: bool = True
    """False: sort by score."""
    deepbooru_use_spaces: bool = True
    deepbooru_escape: bool = True
    """Escape brackets with a backslash; in a prompt they would mean emphasis."""
    deepbooru_filter_tags: str = ""
    """Tags to leave out, separated by commas."""

    @model_validator(mode="before")
    @classmethod
    def _options_are_known(cls, data: object) -> object:
        unknown = [key for key in data if key not in cls.model_fields] if isinstance(data, dict) else []
        if unknown:
            received = ", ".join(map(repr, unknown[:3]))
            raise ValueError(
                f"unknown option {received}; allowed: {', '.join(cls.model_fields)}"
                f"{nearest(unknown[0], cls.model_fields)}"
            )
        return data

    @model_validator(mode="after")
    def _lengths_agree(self) -> "InterrogateOptions":
        least, most = self.interrogate_clip_min_length, self.interrogate_clip_max_length
        if least > most:
            raise ValueError(
                f"received interrogate_clip_min_length = {least} and interrogate_clip_max_length = {most}; "
                "allowed: a minimum no greater than the maximum"
            )
        return self
