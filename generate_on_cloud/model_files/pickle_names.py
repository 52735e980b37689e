"""The importable names that a pickle of tensors may contain; any other name refuses the file."""

TENSOR_MAKERS = frozenset(
    {
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch._tensor._rebuild_from_type_v2",
    }
)
DTYPES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1, "bool": 1,
}  # fmt: skip
"""torch's names of element types, with the size of one element in bytes."""
_KINDS = ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
STORAGES = {f"torch.{kind}Storage": dtype for kind, dtype in zip(_KINDS, DTYPES, strict=True)}
"""Storage classes, with the type of their elements."""
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
"""Classes that training leaves in checkpoints; they are never used, so an inert object replaces them."""
PARAMETER = "torch.nn.parameter.Parameter"
PARAMETER_DICT = "torch.nn.modules.container.ParameterDict"
"""Holds the vectors of an embedding in files from WebUI's first months; its tensors are used."""
# Without torch.Tensor, the storage classes and bytearray, which torch accepts: each allocates whatever size is asked.
ALLOWED = (
    TENSOR_MAKERS
    | LEFTOVERS
    | {f"torch.{dtype}" for dtype in DTYPES}
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
"""All allowed names; everything else is refused."""
TEXT_ENCODINGS = frozenset({"latin1", "latin-1", "utf-8", "utf8", "ascii"})
"""Encodings allowed for `_codecs.encode`; others (hex, base64) enlarge their input with every call."""


def importable_name(argument: str) -> str:
    """The dotted name in the argument of a GLOBAL instruction ("module name"), equal for Python 2 and 3."""
    return argument.replace(" ", ".", 1).removeprefix("__builtin__.").removeprefix("builtins.")
