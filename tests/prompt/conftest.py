"""The tiny text model the tests of prompts share."""

from collections.abc import Callable
from typing import Any

import pytest
from transformers import CLIPTokenizer

from tests.prompt.tiny_clip import VOCABULARY, TinyClip, build_text_encoder


@pytest.fixture(scope="session")
def clip() -> TinyClip:
    return TinyClip(build_text_encoder(), CLIPTokenizer(vocab=VOCABULARY, merges=[], model_max_length=77))


@pytest.fixture
def new_text_encoder() -> Callable[[], Any]:
    """For tests that change the model."""
    return build_text_encoder
