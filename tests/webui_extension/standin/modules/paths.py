"""Where the stand-in keeps its files."""

import os
from pathlib import Path

data_path = os.environ["STANDIN_FOLDER"]
models_path = str(Path(data_path) / "models")
