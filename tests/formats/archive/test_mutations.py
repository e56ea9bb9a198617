"""A package that is broken anywhere is read or refused, and nothing else happens."""

from __future__ import annotations

import random
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.archives import CONDA, PAYLOAD, STEM, TAR_BZ2
from tests.support.mutations import INDEX, INFO, LINKS, check, spoil
from tests.support.packages import conda_archive, tar_bz2_archive


def test_the_package_is_good_before_it_is_spoilt() -> None:
    for data, filename in (
        (conda_archive(STEM, INFO, PAYLOAD), CONDA),
        (tar_bz2_archive([*INFO, *PAYLOAD, *LINKS]), TAR_BZ2),
    ):
        found = check(data, filename)
        assert found is not None
        assert found.index == INDEX
        assert found.run_exports == {"weak": ["alpha >=1"]}


@settings(deadline=None, max_examples=400)
@given(st.randoms(use_true_random=False))
def test_a_value_or_a_rejection_comes_of_it(rng: random.Random) -> None:
    check(*spoil(rng))


@settings(deadline=None, max_examples=200)
@given(
    st.binary(max_size=600),
    st.sampled_from([CONDA, TAR_BZ2]),
    st.sampled_from([b"", b"BZh91AY&SY", b"PK\x03\x04"]),
)
def test_bytes_that_were_never_a_package(data: bytes, filename: str, magic: bytes) -> None:
    assert check(magic + data, filename) is None


def test_memory_stays_within_the_limits() -> None:
    rng = random.Random(20_260_101)
    packages = [spoil(rng) for _ in range(300)]
    check(*packages[0])
    tracemalloc.start()
    try:
        for data, filename in packages:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            check(data, filename)
            assert tracemalloc.get_traced_memory()[1] - before < 10 * 2**20
    finally:
        tracemalloc.stop()
