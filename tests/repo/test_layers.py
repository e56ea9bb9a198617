"""Imports point down only, and importing does nothing.

The table below is the architecture: what each part of ``channeld`` may import of the others.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.support.project import ROOT, project_files

GROUND = {"errors", "settings", "logs", "clock", "cachepolicy", "lives", "jobs"}
STATE = {"catalog", "blobs"}
VERBS = {"intake", "promotion", "indexing", "webhooks"}

MAY_IMPORT = {
    "errors": set[str](),
    "clock": set[str](),
    "lives": set[str](),
    "jobs": set[str](),
    "settings": {"errors"},
    "cachepolicy": {"settings"},
    "logs": {"settings"},
    "formats": {"errors"},
    **{part: GROUND | {"formats"} for part in STATE},
    **{part: GROUND | {"formats"} | STATE for part in VERBS},
    "pages": set[str](),
    "instance": GROUND | {"formats"} | STATE | VERBS,
    "backup": GROUND | {"formats"} | STATE | VERBS | {"instance"},
    "cold": GROUND | {"formats"} | STATE | VERBS | {"instance", "pages"},
    "web": GROUND | {"formats"} | STATE | VERBS | {"instance", "pages"},
    "cli": GROUND | {"formats"} | STATE | VERBS | {"instance", "pages", "backup", "cold", "web"},
    "__main__": {"cli"},
}

#: What the formats may use: pure code, and decoders that are given bytes.
PURE_THIRD_PARTY = {"libarchive", "msgpack", "orjson", "rattler", "yaml", "zstandard"}

#: Modules of the standard library that reach files, the network, other processes, the clock or the environment.
IMPURE = {
    "asyncio", "builtins", "concurrent", "fileinput", "ftplib", "glob", "http", "importlib", "logging", "mmap",
    "multiprocessing", "os", "pathlib", "platform", "queue", "random", "sched", "secrets", "select", "selectors",
    "shutil", "signal", "smtplib", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "sys", "tempfile",
    "time", "urllib.request", "warnings",
}  # fmt: skip

#: Pure names of modules that are not pure as a whole.
PURE_NAMES = {("pathlib", "PurePath"), ("pathlib", "PurePosixPath"), ("pathlib", "PureWindowsPath")}


@dataclass(frozen=True)
class Import:
    """One imported name; ``name`` is empty for a plain ``import module``."""

    where: str
    module: str
    name: str


@cache
def modules() -> dict[str, ast.Module]:
    """Return every module of the package by its dotted name."""
    trees = {}
    for path in project_files("channeld/*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        trees[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text(), str(path))
    return trees


def part_of(module: str) -> str:
    """Return the part a module belongs to: ``formats`` for ``channeld.formats.names``."""
    return module.split(".")[1] if "." in module else ""


def imports_of(module: str, tree: ast.Module) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(f"{module}:{node.lineno}", alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} imports relatively"
            for alias in node.names:
                yield Import(f"{module}:{node.lineno}", node.module or "", alias.name)


def parts_imported(imported: Import) -> set[str]:
    """Return the parts of channeld that an import reaches; ``from channeld import __version__`` reaches none."""
    if imported.module == "channeld":
        return {imported.name} - {"", "__version__"}
    return {part_of(imported.module)} if imported.module.startswith("channeld.") else set()


def test_every_part_is_in_the_table() -> None:
    assert {part_of(module) for module in modules()} - {""} <= MAY_IMPORT.keys()


def test_the_table_itself_has_no_circle() -> None:
    placed: set[str] = set()
    waiting = dict(MAY_IMPORT)
    while waiting:
        ready = {part for part, below in waiting.items() if below <= placed}
        assert ready, f"these import each other: {sorted(waiting)}"
        placed |= ready
        waiting = {part: below for part, below in waiting.items() if part not in ready}


def test_imports_point_down_only() -> None:
    upwards = [
        f"{each.where} imports {part}"
        for module, tree in modules().items()
        for each in imports_of(module, tree)
        for part in parts_imported(each)
        if part != part_of(module) and part not in MAY_IMPORT.get(part_of(module), set())
    ]
    assert upwards == []


def imported_at_once(module: str, tree: ast.Module, known: set[str]) -> set[str]:
    """Return the modules that have to be there before a module is: those that its lines import, not its functions."""
    found = set()
    for node in tree.body:
        for one in imports_of(module, ast.Module([node], [])) if isinstance(node, ast.ImportFrom) else ():
            inner = f"{one.module}.{one.name}"
            found.add(inner if inner in known else one.module)
    return found & known


def test_no_modules_import_each_other() -> None:
    trees = modules()
    waiting = {module: imported_at_once(module, tree, {*trees}) for module, tree in trees.items()}
    placed: set[str] = set()
    while ready := {module for module, needs in waiting.items() if needs <= placed}:
        placed |= ready
        waiting = {module: needs for module, needs in waiting.items() if module not in ready}
    assert waiting == {}


def test_formats_import_nothing_that_reaches_the_world() -> None:
    allowed = (sys.stdlib_module_names - IMPURE) | PURE_THIRD_PARTY | {"channeld"}
    impure = [
        f"{each.where} imports {each.module} {each.name}"
        for module, tree in modules().items()
        if part_of(module) == "formats"
        for each in imports_of(module, tree)
        if (
            each.module.partition(".")[0] not in allowed
            or {each.module, f"{each.module}.{each.name}"} & IMPURE
        )
        and (each.module, each.name) not in PURE_NAMES
    ]
    assert impure == []


#: Calls that read the clock or open a file without an import that gives them away.
IMPURE_CALLS = {
    "open", "print", "input", "now", "utcnow", "today", "read_bytes", "read_text", "write_bytes", "write_text",
}  # fmt: skip


def test_formats_neither_open_files_nor_ask_for_the_time() -> None:
    impure = []
    for module, tree in modules().items():
        for node in ast.walk(tree):
            if part_of(module) == "formats" and isinstance(node, ast.Call):
                # A name is a built-in; an attribute counts only where no object of the formats has it: zip.open().
                if isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
                    impure.append(f"{module}:{node.lineno} calls {node.func.id}()")
                elif isinstance(node.func, ast.Attribute) and node.func.attr in IMPURE_CALLS - {"open"}:
                    impure.append(f"{module}:{node.lineno} calls .{node.func.attr}()")
    assert impure == []


def test_formats_start_no_thread() -> None:
    # threading.local is what they import the module for: a decoder is dear to make and not to be shared.
    used = {
        node.attr
        for module, tree in modules().items()
        if part_of(module) == "formats"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "threading"
    }
    assert used <= {"local"}


def test_only_the_command_line_reads_the_environment() -> None:
    readers = {
        module
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"})
        or (isinstance(node, ast.alias) and node.name in {"environ", "environb", "getenv"})
    }
    assert {part_of(module) for module in readers} <= {"cli"}, sorted(readers)


def test_only_the_edges_set_logging_up() -> None:
    callers = {
        module
        for module, tree in modules().items()
        for each in imports_of(module, tree)
        if (each.module, each.name) == ("channeld.logs", "configure")
    }
    assert {part_of(module) for module in callers} <= {"cli", "web"}, sorted(callers)


PROBE = """
import importlib, json, logging, os, signal, sys, threading, warnings

modules = json.loads(sys.argv[1])
state = lambda: {
    "handlers": len(logging.getLogger().handlers),
    "level": logging.getLogger().level,
    "handlers of channeld": sum(
        len(logging.getLogger(name).handlers) for name in logging.Logger.manager.loggerDict if "channeld" in name
    ),
    "threads": [thread.name for thread in threading.enumerate()],
    "signals": [str(signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)],
    "umask": os.umask(0o022),
    "folder": os.getcwd(),
    "files": sorted(os.listdir(".")),
    "environment": dict(os.environ),
    "sockets": [
        each for each in map("/proc/self/fd/{}".format, os.listdir("/proc/self/fd"))
        if os.path.exists(each) and os.readlink(each).startswith("socket:")
    ],
}
before = state()
written = []

def watch(event, arguments):
    # Bytecode caches are Python's own affair, and off here.
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        written.append(str(arguments[0]))
    elif event in {"socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir", "os.remove", "os.rename"}:
        written.append(event)

sys.addaudithook(watch)
for module in modules:
    importlib.import_module(module)
after = state()
json.dump({"changed": {key: [before[key], after[key]] for key in before if before[key] != after[key]},
           "written": written}, sys.stdout)
"""


def test_importing_every_module_changes_nothing(tmp_path: Path) -> None:
    # Alembic runs its migrations, nobody imports them; and importing __main__ is starting the program.
    names = sorted(name for name in modules() if ".migrations." not in name and name != "channeld.__main__")
    done = subprocess.run(
        [sys.executable, "-B", "-c", PROBE, json.dumps(names)],
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == {"changed": {}, "written": []}


@pytest.mark.parametrize("name", ["utils", "util", "helpers", "misc", "common"])
def test_no_module_is_named_for_nothing(name: str) -> None:
    assert [module for module in modules() if module.split(".")[-1] == name] == []
