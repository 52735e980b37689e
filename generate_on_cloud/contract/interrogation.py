"""WebUI's options of Interrogate CLIP and Interrogate DeepBooru, with its defaults and ranges (semantics §6)."""

from pydantic import BaseModel, ConfigDict, Field, model_validator


class InterrogateOptions(BaseModel):
    """`override_settings` of the interrogate tasks. Each task looks at its own and lets the other's be."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    interrogate_keep_models_in_memory: bool = False
    """Changes nothing: what a worker has loaded stays while there is room for it."""
    interrogate_return_ranks: bool = False
    """Write `(name:0.123)` instead of the name alone."""
    interrogate_clip_num_beams: int = Field(default=1, ge=1, le=16)
    interrogate_clip_min_length: int = Field(default=24, ge=1, le=128)
    """Tokens of the caption, those of "a picture of" and the start among them."""
    interrogate_clip_max_length: int = Field(default=48, ge=1, le=256)
    interrogate_clip_dict_limit: int = Field(default=1500, ge=0)
    """How many lines of each list are looked at; 0 for all."""
    interrogate_clip_skip_categories: list[str] = []
    """Lists not looked at, by file name without `.txt`."""
    interrogate_deepbooru_score_threshold: float | None = Field(default=None, ge=0, le=1)
    """None: what is usual for the tagger, which for DeepDanbooru is WebUI's default of 0.5."""
    deepbooru_sort_alpha: bool = True
    """False sorts by score."""
    deepbooru_use_spaces: bool = True
    deepbooru_escape: bool = True
    """Put a backslash before brackets, which would be emphasis in a prompt."""
    deepbooru_filter_tags: str = ""
    """Tags left out, separated by commas."""

    @model_validator(mode="before")
    @classmethod
    def _options_are_known(cls, data: object) -> object:
        unknown = [key for key in data if key not in cls.model_fields] if isinstance(data, dict) else []
        if unknown:
            received = ", ".join(map(repr, unknown[:3]))
            raise ValueError(f"unknown option {received}; allowed: {', '.join(cls.model_fields)}")
        return data

    @model_validator(mode="after")
    def _lengths_agree(self) -> "InterrogateOptions":
        least, most = self.interrogate_clip_min_length, self.interrogate_clip_max_length
        if least > most:
            raise ValueError(
                f"received interrogate_clip_min_length = {least} and interrogate_clip_max_length = {most}; "
                "allowed: a least length up to the greatest"
            )
        return self
