"""The importable names a pickle of tensors may hold; every other one refuses the file."""

TENSOR_MAKERS = frozenset(
    {
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch._tensor._rebuild_from_type_v2",
    }
)
_DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
_ITEM_BYTES = {
    "Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "Char": 1, "Byte": 1, "Bool": 1,
}  # fmt: skip
STORAGES = {f"torch.{kind}Storage": size for kind, size in _ITEM_BYTES.items()}
"""Kinds of storages, with the bytes of one element."""
LEFTOVERS = frozenset(
    {
        "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
        "numpy.dtype",
        "numpy.ndarray",
        *(
            f"numpy.{core}.multiarray.{name}"
            for core in ("core", "_core")  # before and since numpy 2
            for name in ("scalar", "_reconstruct")
        ),
    }
)
"""Left in checkpoints by their training, never used; an inert object is put in their place."""
PARAMETER = "torch.nn.parameter.Parameter"
PARAMETER_DICT = "torch.nn.modules.container.ParameterDict"
"""Of an embedding, in files of WebUI's first months; its tensors are used."""
# Not torch.Tensor, storages' own classes and bytearray, though torch takes them: each makes as much as it is asked for.
ALLOWED = (
    TENSOR_MAKERS
    | LEFTOVERS
    | {f"torch.{dtype}" for dtype in _DTYPES}
    | STORAGES.keys()
    | {
        "collections.OrderedDict",
        "torch.Size",
        "torch.device",
        PARAMETER,
        PARAMETER_DICT,
        "_codecs.encode",
        "set",
        "complex",
    }
)
"""Everything else is refused."""
TEXT_ENCODINGS = frozenset({"latin1", "latin-1", "utf-8", "utf8", "ascii"})
"""What `_codecs.encode` may be called with; others (hex, base64) grow what they are given, again and again."""


def importable_name(argument: str) -> str:
    """The dotted name in a GLOBAL instruction's argument ("module name"), the same for Python 2 and 3."""
    return argument.replace(" ", ".", 1).removeprefix("__builtin__.").removeprefix("builtins.")
