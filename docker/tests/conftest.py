import pathlib
import sys

root = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(root / "tools"), str(root / "tests" / "interop")]
