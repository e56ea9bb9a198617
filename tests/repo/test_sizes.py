"""What is too long to be read in one go has a seam somewhere."""

from __future__ import annotations

import ast

from tests.support.project import ROOT, project_files

MODULE_LINES = 400
FUNCTION_LINES = 60  # the habit is 40; what lies between is a matter for review


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in project_files("*.py")}
    assert {str(path): length for path, length in lengths.items() if length > MODULE_LINES} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    long = {}
    for path in project_files("*.py"):
        for node in ast.walk(ast.parse(path.read_text(), str(path))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES:
                    long[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = length
    assert long == {}
