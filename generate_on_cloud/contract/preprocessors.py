"""ControlNet's preprocessors: their names, sliders and files."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from generate_on_cloud.contract.suggestions import nearest, same_name


@dataclass(frozen=True)
class Slider:
    """One numeric parameter of a preprocessor."""

    default: float
    """The value for -1 and any other negative number."""
    minimum: float = 0.0
    maximum: float = 1.0


@dataclass(frozen=True)
class Preprocessor:
    """Turns a picture into a map."""

    threshold_a: Slider = Slider(0.5)
    threshold_b: Slider = Slider(0.5)
    other_names: tuple[str, ...] = ()
    previewed: bool = True
    """Whether its map depends on the picture and the numbers alone, so that the console can show it."""
    files: tuple[str, ...] = ()
    """The extension's names of the files with its networks, of the type `preprocessor`."""
    hole: bool = False
    """Whether a unit's mask says where the picture is drawn anew; otherwise it takes the picture's place."""


def _network(
    *files: str, called: tuple[str, ...] = (), a: Slider = Slider(0.5), b: Slider = Slider(0.5)
) -> Preprocessor:
    return Preprocessor(a, b, called, previewed=False, files=files)


BODY, HAND, FACE = "body_pose_model.pth", "hand_pose_model.pth", "facenet.pth"
MIDAS = "dpt_hybrid-midas-501f0c75.pt"

PREPROCESSORS: Mapping[str, Preprocessor] = MappingProxyType(
    {
        "none": Preprocessor(other_names=("",)),
        "invert": Preprocessor(other_names=("invert (from white bg & black line)",)),
        "canny": Preprocessor(Slider(100, 0, 256), Slider(200, 0, 256)),
        "threshold": Preprocessor(Slider(127, 0, 255)),
        "blur_gaussian": Preprocessor(Slider(9.0, 0.01, 64), other_names=("blur",)),
        "tile_resample": Preprocessor(Slider(1.0, 1, 8)),
        "scribble_xdog": Preprocessor(Slider(32, 1, 64)),
        "lineart_standard": Preprocessor(other_names=("lineart_standard (from white bg & black line)",)),
        "shuffle": Preprocessor(previewed=False),
        "recolor_luminance": Preprocessor(Slider(1.0, 0.1, 2.0)),
        "recolor_intensity": Preprocessor(Slider(1.0, 0.1, 2.0)),
        "tile_colorfix": Preprocessor(Slider(8.0, 3, 32), previewed=False),
        "tile_colorfix+sharp": Preprocessor(Slider(8.0, 3, 32), Slider(1.0, 0, 2), previewed=False),
        "inpaint_only": Preprocessor(previewed=False, hole=True),
        "inpaint": Preprocessor(other_names=("inpaint_global_harmonious",), previewed=False, hole=True),
        "inpaint_only+lama": Preprocessor(previewed=False, files=("ControlNetLama.pth",), hole=True),
        "openpose": _network(BODY),
        "openpose_hand": _network(BODY, HAND),
        "openpose_face": _network(BODY, FACE),
        "openpose_faceonly": _network(BODY, FACE),
        "openpose_full": _network(BODY, HAND, FACE),
        "dw_openpose_full": _network("yolox_l.onnx", "dw-ll_ucoco_384.onnx"),
        "depth_midas": _network(MIDAS, called=("depth",)),
        "depth_anything": _network("depth_anything_vitl14.pth"),
        "depth_anything_v2": _network("depth_anything_v2_vitl.pth"),
        "normal_midas": Preprocessor(Slider(0.4), other_names=("normal_map",), previewed=False, files=(MIDAS,)),
        "seg_ufade20k": _network("upernet_global_small.pth", called=("segmentation",)),
        "normal_bae": _network("scannet.pt"),
        "mlsd": Preprocessor(
            Slider(0.1, 0.01, 2.0), Slider(0.1, 0.01, 20.0), previewed=False, files=("mlsd_large_512_fp32.pth",)
        ),
        "softedge_hed": _network("ControlNetHED.pth", called=("hed",)),
        "softedge_hedsafe": _network("ControlNetHED.pth", called=("hed_safe",)),
        "scribble_hed": _network("ControlNetHED.pth"),
        "lineart_realistic": _network("sk_model.pth", called=("lineart",)),
        "lineart_coarse": _network("sk_model2.pth"),
        "lineart_anime": _network("netG.pth"),
        "softedge_pidinet": _network("table5_pidinet.pth", called=("pidinet",)),
        "softedge_pidisafe": _network("table5_pidinet.pth", called=("pidinet_safe",)),
        "scribble_pidinet": _network("table5_pidinet.pth", called=("pidinet_scribble",)),
    }
)
RESOLUTION = Slider(512, 64, 2048)
"""Length in pixels of a map's shorter side."""


_NAMES: Mapping[str, str] = MappingProxyType(
    {called: name for name, rule in PREPROCESSORS.items() for called in (*rule.other_names, name)}
)
"""Every name of every preprocessor."""


def preprocessor_named(module: str) -> str | None:
    """The preprocessor of this name or of one of its other names, in any case."""
    return _NAMES.get(module) or _NAMES.get(same_name(module, _NAMES) or module)


def nearest_preprocessor(module: str) -> str:
    """A suggestion for a name that no preprocessor has."""
    return nearest(module, filter(None, _NAMES))
