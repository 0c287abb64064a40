import subprocess
import sys

import pytest

from hltune.suite import catalog
from hltune.values.errors import InputError


def test_the_six_benchmarks_in_order():
    names = [benchmark.name for benchmark in catalog.FILTERS]
    assert names == ["conv3x3a16", "conv3x3a32", "dilate3x3", "gaussian5x5", "median3x3", "sobel"]


def test_listing_does_without_halide():
    code = "import sys, hltune.suite.catalog; sys.exit('halide' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_find():
    assert catalog.find("sobel").summary == "edge strength |gx| + |gy|"


@pytest.mark.parametrize(("typed", "meant"), [("median", "median3x3"), ("Sobel", "sobel"), ("conv3x3", "conv3x3a")])
def test_an_unknown_name_gets_the_nearest_and_the_list(typed: str, meant: str):
    with pytest.raises(InputError) as caught:
        catalog.find(typed)
    message = str(caught.value)
    assert f"did you mean {meant}" in message
    assert all(benchmark.name in message for benchmark in catalog.FILTERS)


def test_a_name_like_none_gets_the_list_only():
    with pytest.raises(InputError) as caught:
        catalog.find("xyz")
    assert "did you mean" not in str(caught.value)
