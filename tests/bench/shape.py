"""Print the size of every room: code lines, module and function sizes. A place to look, never a failure."""

import ast
from pathlib import Path
from statistics import quantiles

ROOMS = {  # room: code lines of the plan (docstrings, comments and blank lines not counted)
    "specs": 600,
    "generators": 1_700,
    "filters": 1_300,
    "corpus": 1_600,
    "trainers": 900,
    "evals": 1_150,
    "data_cards": 150,
}


def code_lines(source: str) -> int:
    """Return the number of lines that hold code."""
    tree = ast.parse(source)
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docstrings.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    lines = enumerate(source.splitlines(), 1)
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and n not in docstrings for n, line in lines
    )


def main() -> None:
    print(f"{'room':<12}{'lines':>7}{'plan':>7}{'longest module':>28}{'functions p50/p90/max':>24}")
    for room, plan in ROOMS.items():
        sources = {path: path.read_text() for path in sorted(Path(room).glob("*.py"))}
        sizes = sorted(
            node.end_lineno - node.lineno + 1
            for source in sources.values()
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )
        longest = max(sources, key=lambda path: sources[path].count("\n"))
        module = f"{longest.name} {sources[longest].count(chr(10))}"
        cuts = quantiles(sizes, n=10) if len(sizes) > 1 else [0] * 9
        spread = f"{cuts[4]:.0f}/{cuts[8]:.0f}/{max(sizes, default=0)}"
        print(f"{room:<12}{sum(map(code_lines, sources.values())):>7}{plan:>7}{module:>28}{spread:>24}")


if __name__ == "__main__":
    main()
