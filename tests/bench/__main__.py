"""Run every benchmark of this folder, or those named: `python -m tests.bench [NAME...]`."""

import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    here = Path(__file__).parent
    names = sys.argv[1:] or sorted(path.stem for path in here.glob("bench_*.py"))
    for name in names:
        module = import_module(f"{__package__}.bench_{name.removeprefix('bench_')}")
        print(f"== {module.__name__.rsplit('.', 1)[-1]}: {(module.__doc__ or '').strip().splitlines()[0]}")
        module.main()


if __name__ == "__main__":
    main()
