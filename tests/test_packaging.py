import ast
import subprocess
import sys
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("specs", "generators", "filters", "corpus", "trainers", "evals", "data_cards")
DATA = {".js", ".css", ".md", ".j2", ".sql", ".typed", ".json", ".txt", ".toml", ".jinja"}


def tracked(folder: Path) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *ROOMS], cwd=folder, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.split("\0") if name]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a clean copy of what git tracks: a left-over build/ would bring deleted modules back."""
    copy = tmp_path_factory.mktemp("copy")
    archive = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in archive.decode().split("\0"):
            if name and (ROOT / name).exists():
                tar.add(ROOT / name, name)
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as tar:
        tar.extractall(copy, filter="data")
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-build-isolation",
        "--no-deps",
        "-w",
        out,
        copy,
    ]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(next(out.glob("*.whl"))) as opened:
        return set(opened.namelist())


def test_the_wheel_holds_every_module_and_data_file(wheel):
    if not tracked(ROOT):
        pytest.skip("no git index here to compare with")
    shipped = [name for name in tracked(ROOT) if "/examples/" not in name]
    expected = {f"specmill/{name}" for name in shipped if Path(name).suffix in DATA | {".py"}}
    assert expected - wheel == set()


def test_the_wheel_holds_nothing_under_bare_room_names(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"specmill"}


def test_there_is_no_package_file_above_the_rooms():
    assert not (ROOT / "__init__.py").exists()


def test_no_file_imports_a_room_by_its_bare_name():
    """From the root, `import specs` works too, and gives a twin module whose classes are not ours."""
    guilty = []
    for path in [p for room in (*ROOMS, "tests") for p in (ROOT / room).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            guilty += [f"{path.name}: {name}" for name in names if name.split(".")[0] in ROOMS]
    assert guilty == []
