"""Rule: conda-forge's repository of outputs is read, and written so that conda-forge reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.formats.rejections import BadName
from channeld.promotion.outputs import Globs, Registry
from channeld.promotion.outputsrepo import (
    ALLOWLIST,
    CONFIG,
    Layout,
    RegistryFileMalformed,
    changes,
    layout_of,
    read,
    write,
)

FILES = {
    "outputs/n/u/m/numpy.json": b'{"feedstocks": ["numpy"]}',
    "outputs/b/c/z/bc.json": b'{"feedstocks": ["bc", "gnu"]}\n',
    ALLOWLIST: b"# kept\nllvmdev:\n- libllvm* # because\n- 'llvm-[0-9]*'\nno:\n- '1.0'\n",
    "README.md": b"about",
}
REGISTRY = Registry(
    {"numpy": ("numpy",), "bc": ("bc", "gnu")},
    Globs({"llvmdev": ("libllvm*", "llvm-[0-9]*"), "no": ("1.0",)}),
)


@pytest.fixture
def sample(test_data: Path) -> dict[str, bytes]:
    """Two hundred and forty real outputs, and the real list of globs."""
    root = test_data / "validation" / "feedstock-outputs-sample"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("output", "path"),
    [
        ("numpy", "outputs/n/u/m/numpy.json"),
        ("NumPy", "outputs/n/u/m/numpy.json"),
        ("_libgcc_mutex", "outputs/l/i/b/_libgcc_mutex.json"),
        ("r-base", "outputs/r/b/a/r-base.json"),
        ("bc", "outputs/b/c/z/bc.json"),
        ("7zip", "outputs/7/z/i/7zip.json"),
        ("x", "outputs/x/z/z/x.json"),
    ],
)
def test_where_the_file_of_an_output_is(output: str, path: str) -> None:
    assert Layout().path_of(output) == path


@pytest.mark.parametrize("output", ["../../etc", "a/b", "", "a b", "."])
def test_what_is_no_output_has_no_file(output: str) -> None:
    with pytest.raises(BadName):
        Layout().path_of(output)


def test_a_repository_says_how_deep_it_is() -> None:
    config = b'{"outputs_path": "o", "shard_level": 1, "shard_fill": "q", "auto_register_all": false}'
    assert Layout.parse(config) == Layout("o", 1, "q")
    assert layout_of({CONFIG: config}).path_of("numpy") == "o/n/numpy.json"
    assert layout_of({}) == Layout()
    assert Layout.parse(b"{}") == Layout()


@pytest.mark.parametrize(
    "config",
    [b"", b"[]", b'{"outputs_path": 1}', b'{"outputs_path": "/"}', b'{"outputs_path": "../x"}',
     b'{"outputs_path": "a/../../x"}', b'{"outputs_path": "a//x"}', b'{"outputs_path": "a\\u0000"}',
     b'{"shard_level": "3"}', b'{"shard_level": true}',
     b'{"shard_level": -1}', b'{"shard_level": 99}', b'{"shard_fill": ""}', b'{"shard_fill": "/"}'],
)  # fmt: skip
def test_what_is_no_configuration_is_told(config: bytes) -> None:
    with pytest.raises(RegistryFileMalformed):
        Layout.parse(config)


def test_a_repository_is_read() -> None:
    assert read(FILES) == REGISTRY
    assert read({}) == Registry()
    assert read({ALLOWLIST: b""}) == Registry()


def test_a_registry_is_written() -> None:
    files = write(REGISTRY)
    assert sorted(files) == [ALLOWLIST, "outputs/b/c/z/bc.json", "outputs/n/u/m/numpy.json"]
    assert files["outputs/b/c/z/bc.json"] == b'{"feedstocks": ["bc", "gnu"]}'
    assert b"llvmdev:\n- libllvm*\n- llvm-[0-9]*\n'no':\n- '1.0'\n" in files[ALLOWLIST]
    assert read(files) == REGISTRY
    assert read(write(Registry())) == Registry()


@pytest.mark.parametrize(
    ("path", "data", "problem"),
    [
        ("outputs/n/u/numpy.json", b'{"feedstocks": []}', "it should be 'outputs/n/u/m/numpy.json'."),
        ("outputs/n/u/m/NumPy.json", b'{"feedstocks": []}', "it should be 'outputs/n/u/m/numpy.json'."),
        ("outputs/a/b/z/a b.json", b'{"feedstocks": []}', "it is not named after an output"),
        ("outputs/n/u/m/numpy.json", b"", "it is not JSON."),
        ("outputs/n/u/m/numpy.json", b"[]", "it is not an object."),
        ("outputs/n/u/m/numpy.json", b"{}", "it has no list of texts as its feedstocks."),
        (
            "outputs/n/u/m/numpy.json",
            b'{"feedstocks": "numpy"}',
            "it has no list of texts as its feedstocks.",
        ),
        ("outputs/n/u/m/numpy.json", b'{"feedstocks": [1]}', "it has no list of texts as its feedstocks."),
        (ALLOWLIST, b"- a", "it is no mapping from feedstocks to lists on line 1."),
        (ALLOWLIST, b"a:\n- b\nc: d", "it is no mapping from feedstocks to lists on line 3."),
        (ALLOWLIST, b"a:\n", "it is no mapping from feedstocks to lists on line 1."),
        (ALLOWLIST, b"a:\n- [b]", "it is no mapping from feedstocks to lists on line 2."),
        (ALLOWLIST, b"a:\n- b: c", "it is no mapping from feedstocks to lists on line 2."),
        (ALLOWLIST, b"a:\n- b\na:\n- c", "it names 'a' again on line 3."),
        (ALLOWLIST, b"a:\n- *-devel", "it has a glob without quotes around its first * on line 2."),
        (ALLOWLIST, b"a: [", "it is not YAML ("),
        (ALLOWLIST, b"a:\n- b\n---\nc:\n- d", "it is no mapping from feedstocks to lists on line 4."),
        (ALLOWLIST, b"\xff", "it is not YAML ("),
        (ALLOWLIST, b"[" * 100_000, "it is no mapping from feedstocks to lists on line 1."),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(path: str, data: bytes, problem: str) -> None:
    with pytest.raises(RegistryFileMalformed) as refused:
        read({**FILES, path: data})
    assert refused.value.sentence().startswith(f"{path!r} cannot be read: {problem}")


def test_what_a_repository_says_already_keeps_its_bytes() -> None:
    assert changes(FILES, REGISTRY) == {}


def test_only_what_differs_is_written() -> None:
    changed = REGISTRY.registering("numpy", "other").registering("new", "f")
    without = Registry({name: f for name, f in changed.outputs.items() if name != "bc"}, REGISTRY.globs)
    assert changes(FILES, without) == {
        "outputs/n/u/m/numpy.json": b'{"feedstocks": ["numpy", "other"]}',
        "outputs/n/e/w/new.json": b'{"feedstocks": ["f"]}',
        "outputs/b/c/z/bc.json": None,
    }
    assert list(changes(FILES, REGISTRY.adding("x-*", "f"))) == [ALLOWLIST]


def test_the_real_sample_is_read(sample: dict[str, bytes]) -> None:
    registry = read(sample)
    assert len(registry.outputs) == 240
    assert registry.outputs["antlr4-python3-runtime"] == ("antlr4-python3-runtime", "antlr-python-runtime")
    assert registry.globs.by_feedstock["clangdev"] == (
        "clang-*",
        "clang-format-*",
        "libclang*",
        "libclang-cpp*",
    )
    assert registry.globs.by_feedstock["staged-recipes"] == ("blah-*",)
    assert registry.owners("libclang-cpp20.1") == {"clangdev"}
    assert registry.allowed("b2", "b2")
    assert not registry.allowed("b2", "bt")


def test_the_real_sample_comes_back(sample: dict[str, bytes]) -> None:
    registry = read(sample)
    assert changes(sample, registry) == {}
    written = write(registry)
    assert read(written) == registry
    assert written.keys() == {path for path in sample if path.startswith("outputs/")} | {ALLOWLIST}
    same = [path for path, data in written.items() if data == sample[path].rstrip(b"\n")]
    assert len(same) == 240


NAMES = st.from_regex(r"[a-z_][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True).filter(lambda name: "__" not in name)
TEXTS = st.text(max_size=6)


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(NAMES, st.lists(TEXTS, unique=True).map(tuple), max_size=5),
    st.dictionaries(
        TEXTS, st.lists(st.text(st.characters(codec="utf-8"), max_size=6)).map(tuple), max_size=4
    ),
)
def test_any_registry_comes_back(
    outputs: dict[str, tuple[str, ...]], globs: dict[str, tuple[str, ...]]
) -> None:
    registry = Registry(outputs, Globs(globs))
    assert read(write(registry)) == registry
