"""Values arrive as they left, and the files that they name arrive with them."""

from pathlib import Path

from hltune.cluster.parcel import Parcel, decode, encode, pack, place_of, unpack
from hltune.values.pipeline import FuncInfo, PipelineSpec

SPEC = PipelineSpec(
    name="large", hlpipe=bytes(range(256)) * 1000, inputs=(), outputs=(), funcs=(FuncInfo(name="f", args=("x",)),)
)


def arrive(parcel: Parcel, there: Path) -> None:
    """All its parts are on another computer."""
    for digest, part in parcel.parts.items():
        place_of(there, digest).mkdir(parents=True)
        (place_of(there, digest) / part.name).write_bytes(part.read())


def test_files_are_named_by_what_is_in_them(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    one, same, other = here / "a.weights", here / "b.weights", here / "c.npy"
    for path, data in ((one, b"weights"), (same, b"weights"), (other, b"image")):
        path.write_bytes(data)
    value = {"one": one, "others": (same, other), "nowhere": Path("builtin"), "number": 3}
    parcel = pack(value)
    assert len(parcel.parts) == 3
    arrive(parcel, there)
    found = unpack(parcel.data, there)
    assert found["number"] == 3 and found["nowhere"] == Path("builtin")
    for place, name in ((found["one"], "a.weights"), (found["others"][0], "b.weights")):
        assert place.name == name and place.is_relative_to(there) and place.read_bytes() == b"weights"
    assert found["others"][1].read_bytes() == b"image"


def test_a_pipeline_is_no_part_of_what_names_it(tmp_path: Path) -> None:
    one, other = pack({"spec": SPEC, "job": 1}), pack([SPEC, SPEC])
    assert one.parts.keys() == other.parts.keys() and len(one.parts) == 1
    assert len(one.data) < 200 and len(other.data) < 200
    arrive(one, tmp_path)
    assert unpack(one.data, tmp_path) == {"spec": SPEC, "job": 1}
    assert unpack(other.data, tmp_path) == [SPEC, SPEC]


def test_what_comes_back_is_small() -> None:
    value = [("key", 1.5, bytes(10_000))] * 3
    assert decode(encode(value)) == value and len(encode(value)) < 500
