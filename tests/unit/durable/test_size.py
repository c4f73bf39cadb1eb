"""The room stays small, for ever."""

import ast
import io
import tokenize
from pathlib import Path

import helmbroker.durable

_MOST_LINES = 500
_NOT_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def lines_of_code(source: str) -> int:
    """Lines without blank ones, comments, docstrings, imports and the list of exports."""
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NOT_CODE:
            code |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        exports = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        if docstring or exports or isinstance(node, ast.Import | ast.ImportFrom):
            assert isinstance(node, ast.stmt)
            code -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(code)


def test_at_most_500_lines_of_code() -> None:
    folder = Path(helmbroker.durable.__file__).parent
    assert sum(lines_of_code(path.read_text()) for path in folder.glob("*.py")) <= _MOST_LINES


def test_what_counts() -> None:
    assert lines_of_code('"""Text."""\nimport os\n\n# why\nA = 1\nB = [\n    A,\n]\n') == 4
