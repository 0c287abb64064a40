"""Values arrive as they left, and the files that they name arrive with them."""

from pathlib import Path

from hltune.cluster.parcel import pack, place_of, unpack


def test_files_are_named_by_what_is_in_them(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    one, same, other = here / "a.weights", here / "b.weights", here / "c.npy"
    for path, data in ((one, b"weights"), (same, b"weights"), (other, b"image")):
        path.write_bytes(data)
    value = {"one": one, "others": (same, other), "nowhere": Path("builtin"), "number": 3}
    parcel = pack(value)
    assert len(parcel.files) == 2
    for digest, path in parcel.files.items():
        place_of(there, digest).mkdir(parents=True)
        (place_of(there, digest) / path.name).write_bytes(path.read_bytes())
    found = unpack(parcel.data, there)
    assert found["number"] == 3 and found["nowhere"] == Path("builtin")
    assert found["one"].suffix == ".weights" and found["one"].is_relative_to(there)
    assert found["others"][1].read_bytes() == b"image"
