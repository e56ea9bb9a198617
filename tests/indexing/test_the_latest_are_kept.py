"""Rule: what was used longest ago goes from memory first, and the last one stays however heavy it is."""

from __future__ import annotations

from channeld.indexing.latest import Latest


def latest(most: int = 10) -> Latest[str, str]:
    return Latest(most, len)


def kept(memory: Latest[str, str], keys: str) -> dict[str, str | None]:
    return {key: memory.get(key) for key in keys}


def test_what_was_used_longest_ago_goes() -> None:
    memory = latest()
    memory.keep("a", "aaaa")
    memory.keep("b", "bbbb")
    assert memory.get("a") == "aaaa"
    memory.keep("c", "cccc")
    assert kept(memory, "abc") == {"a": "aaaa", "b": None, "c": "cccc"}


def test_the_last_one_stays() -> None:
    memory = latest()
    memory.keep("a", "a")
    memory.keep("b", "b" * 100)
    assert kept(memory, "ab") == {"a": None, "b": "b" * 100}


def test_what_is_kept_again_counts_once() -> None:
    memory = latest()
    for _ in range(20):
        memory.keep("a", "aaaa")
    memory.keep("b", "bbbb")
    assert kept(memory, "ab") == {"a": "aaaa", "b": "bbbb"}


def test_what_is_forgotten_weighs_nothing() -> None:
    memory = latest()
    memory.keep("a", "aaaaaaaa")
    memory.forget("a")
    memory.forget("never there")
    memory.keep("b", "bbbb")
    memory.keep("c", "cccccc")
    assert kept(memory, "abc") == {"a": None, "b": "bbbb", "c": "cccccc"}
    memory.clear()
    memory.keep("d", "d" * 10)
    assert kept(memory, "bcd") == {"b": None, "c": None, "d": "d" * 10}
