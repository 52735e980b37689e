"""What trainers put around a network's tensors: dictionaries in a pickle, and prefixes of the tensors' names."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

WRAPPERS = (
    "state_dict", "model_state_dict", "params_ema", "params-ema", "ema", "g_ema", "params", "generator", "net_g",
    "netG", "model", "net", "network", "module", "_orig_mod",
)  # fmt: skip
"""Words for the network that is used, the smoothed one first: keys in a pickle, and first parts of tensors' names."""
MAX_DEPTH = 4
Value = TypeVar("Value")


OF_EMBEDDINGS = "string_to_param"
"""The word for an embedding's vectors, which its readers look for."""


def unwrapped(document: dict[Any, Any], *, depth: int = MAX_DEPTH) -> dict[Any, Any]:
    """The dictionary itself, or the first one nested in it under one of WRAPPERS that is not empty, or under whatever
    word if it is the only one with tensors."""
    for wrapper in WRAPPERS if depth else ():
        inner = document.get(wrapper)
        if isinstance(inner, dict) and inner:
            return unwrapped(inner, depth=depth - 1)
    only = _only_tensors(document) if depth else None
    return document if only is None else unwrapped(only, depth=depth - 1)


def _only_tensors(document: dict[Any, Any]) -> dict[Any, Any] | None:
    """The only dictionary with tensors in a dictionary without; None if there is none, or several."""
    if OF_EMBEDDINGS in document or _has_tensors(document):
        return None
    inner = [value for value in document.values() if isinstance(value, dict) and _has_tensors(value)]
    return inner[0] if len(inner) == 1 else None


def _has_tensors(document: dict[Any, Any]) -> bool:
    return any(hasattr(value, "shape") for value in document.values())


def without_prefixes(tensors: Mapping[str, Value]) -> Iterator[Mapping[str, Value]]:
    """The tensors as they are, then those below each wrapper's name, then below two names, and so on.

    A name may belong to the network itself (ESRGAN's oldest tensors are called `model.0.weight`), so the caller tries
    one after the other. Tensors of other networks in the file, such as a discriminator, are left out.
    """
    tried: list[Mapping[str, Value]] = [tensors]
    for _ in range(MAX_DEPTH):
        yield from tried
        tried = [below for one in tried for wrapper in WRAPPERS if (below := _below(one, f"{wrapper}."))]


def _below(tensors: Mapping[str, Value], prefix: str) -> dict[str, Value]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
