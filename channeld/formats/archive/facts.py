"""What channeldata.json needs of a package (CEP 38), read as conda-index reads it.

From about.json the texts and links, from the rendered recipe its source, from paths.json whether prefixes are
replaced and scripts are run. Nothing here can make a package be refused: what is broken says nothing.

conda-index takes no source from a recipe that lists several; CEP 38 has a list of URLs, and so has this.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import orjson

from channeld.formats.archive.info import ABOUT, PATHS, RECIPES, InfoFiles, read_info
from channeld.formats.archive.limits import Limits
from channeld.formats.archive.plainyaml import load_plain_yaml
from channeld.formats.names import FileName, Naming

#: What channeldata.json may say of a package in words and links (conda-index's CHANNELDATA_FIELDS).
ABOUT_FIELDS: Final = (
    "commits",
    "description",
    "dev_url",
    "doc_source_url",
    "doc_url",
    "home",
    "icon_hash",
    "icon_url",
    "identifiers",
    "keywords",
    "license",
    "recipe_origin",
    "reference_package",
    "summary",
    "tags",
)
#: Keys of a recipe's source that channeldata.json has as ``source_<key>``.
SOURCE_FIELDS: Final = ("url", "git_url", "git_tag", "git_rev")

#: Bytes of JSON that one field of about.json may take. Descriptions are sometimes a whole README.
_FIELD_LIMIT: Final = 64 * 1024
#: Without one of these, paths.json tells nothing that is asked here. A backslash may spell them in another way.
_BACKSLASH: Final = b"\\"
_PREFIX: Final = b"prefix_placeholder"
_LINK: Final = b"link."
_ACTIVATION: Final = b"etc/conda/"
#: conda-index's "*/.*-post-link.*", with fnmatch's meaning of "*": also across slashes.
_SCRIPTS: Final = {
    action: re.compile(rf".*/\..*-{action}\..*", re.DOTALL)
    for action in ("pre-link", "post-link", "pre-unlink")
}
#: A line of a recipe that begins in column 0 and is no item of a list: the next top-level key.
_NEXT_KEY: Final = re.compile(rb"\n(?=[^ \t\r\n#-])")


#: ``source:`` and lines of one key and one plain scalar each, in which no character means anything to YAML and no
#: word means null.
_PLAIN_BLOCK: Final = re.compile(
    rb"source:\n(?: +(?!null:)[a-z_][a-z0-9_]*: (?!(?:null|Null|NULL)\n)"
    rb"[A-Za-z0-9/](?:[A-Za-z0-9._/%@+=~&?:-]*[A-Za-z0-9._/-])?\n)+"
)
#: A line of such a block: indent, key, value.
_PLAIN_LINE: Final = re.compile(rb"^( +)([a-z0-9_]+): (.+)$", re.MULTILINE)
_PLAIN_LIMIT: Final = 8 * 1024


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """What one package adds to the entry of its name in channeldata.json.

    ``about`` has ``ABOUT_FIELDS`` of about.json, ``source`` has ``SOURCE_FIELDS`` of the recipe; both only what there
    is. Ready for JSON.
    """

    about: Mapping[str, Any]
    source: Mapping[str, Any]
    activate_d: bool = False
    deactivate_d: bool = False
    binary_prefix: bool = False
    text_prefix: bool = False
    post_link: bool = False
    pre_link: bool = False
    pre_unlink: bool = False


def read_channel_facts(
    file: BinaryIO, filename: FileName, naming: Naming = Naming.STRICT, limits: Limits | None = None
) -> ChannelFacts:
    """Read the facts out of a package file.

    Raises:
        BadArchive: as for ``channeld.formats.archive.info.read_info``.
    """
    return channel_facts(read_info(file, filename, naming, limits))


def channel_facts(info: InfoFiles) -> ChannelFacts:
    """Derive the facts from the files of ``info/``. Of a package that has been inspected already: no second reading."""
    return ChannelFacts(
        about=_about(info.get(ABOUT, b"{}")),
        source=_source(info),
        **_path_facts(info.get(PATHS, b"{}")),
    )


def _about(data: bytes) -> dict[str, Any]:
    about = _json_object(data)
    # a text is no longer than the document that it comes from
    texts_fit = len(data) <= _FIELD_LIMIT
    return {
        field: value
        for field in ABOUT_FIELDS
        if (value := about.get(field)) and ((texts_fit and type(value) is str) or _fits(value))
    }


def _fits(value: object) -> bool:
    try:
        return len(orjson.dumps(value)) <= _FIELD_LIMIT
    except orjson.JSONEncodeError:
        return False  # nested deeper than orjson writes


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _source(info: InfoFiles) -> dict[str, Any]:
    """Return the source of the recipe that the archive has first.

    Only the lines of that key are parsed: 60 µs instead of 3 ms. Recipes in packages are written in blocks, by
    conda-build; of one that is not, nothing is said.
    """
    recipe = next((data for path, data in info.items() if path in RECIPES), b"")
    start = 0
    if not recipe.startswith(b"source:"):
        start = recipe.find(b"\nsource:") + 1
        if start == 0:
            return {}
    end = _NEXT_KEY.search(recipe, start)
    text = recipe[start : end.start() + 1 if end else len(recipe)]
    plain = _plain_mapping(text)
    if plain is not None:
        return {field: plain[field] for field in SOURCE_FIELDS if field in plain}
    document = load_plain_yaml(text)
    source = document.get("source") if isinstance(document, dict) else None
    if isinstance(source, list):
        urls = [url for entry in source if isinstance(entry, dict) for url in _texts(entry.get("url"))]
        return {"url": urls} if urls else {}
    if not isinstance(source, dict):
        return {}
    found = {field: _text_or_texts(source.get(field)) for field in SOURCE_FIELDS}
    return {field: value for field, value in found.items() if value}


def _plain_mapping(text: bytes) -> dict[str, str] | None:
    """Read a block of plain ``key: value`` lines, as most sources are: 3 µs, where YAML takes 30. None for others."""
    if len(text) > _PLAIN_LIMIT or _PLAIN_BLOCK.fullmatch(text) is None:
        return None
    lines = _PLAIN_LINE.findall(text)
    mapping = {key.decode(): value.decode() for _, key, value in lines}
    plain = len({indent for indent, _, _ in lines}) == 1 and len(mapping) == len(lines)
    return mapping if plain else None


def _texts(value: object) -> Iterable[str]:
    """Return the strings in a value. Templates that were never rendered say nothing."""
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and text and "{{" not in text]


def _text_or_texts(value: object) -> str | list[str] | None:
    texts = list(_texts(value))
    if isinstance(value, list):
        return texts or None
    return texts[0] if texts else None


def _path_facts(data: bytes) -> dict[str, bool]:
    """Tell from paths.json what an installation does besides linking (conda-index: _cache_post_install_details)."""
    if _BACKSLASH not in data and _PREFIX not in data and _LINK not in data and _ACTIVATION not in data:
        return {}
    facts: dict[str, bool] = {}
    entries = _json_object(data).get("paths")
    for entry in entries if isinstance(entries, list) else ():
        path = entry.get("_path") if isinstance(entry, dict) else None
        if not isinstance(path, str):
            continue
        if entry.get("prefix_placeholder"):
            mode = entry.get("file_mode")
            if mode in {"binary", "text"}:
                facts[f"{mode}_prefix"] = True
        for folder in ("activate", "deactivate"):
            if path.startswith(f"etc/conda/{folder}.d"):
                facts[f"{folder}_d"] = True
        if "link." in path:
            facts.update(
                {action.replace("-", "_"): True for action, form in _SCRIPTS.items() if form.match(path)}
            )
    return facts
