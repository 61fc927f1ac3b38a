"""What readers throw becomes one line that names the file."""

from pathlib import Path

import pytest
from harness.component import seeded

from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.base import load, read_yaml
from hwsim.config.catalog import CONFIGS, resolve
from hwsim.errors import InputError
from hwsim.system.reading import MAX_LIBRARY, read_text, reading


@pytest.mark.parametrize(
    ("thrown", "said"),
    [
        (KeyError(99), "must be X: KeyError 99"),
        (ValueError("no\nsecond line"), "must be X: no"),
        (AttributeError(), "must be X: AttributeError"),
        (RecursionError(), "must be X: it is nested too deeply"),
        (MemoryError(), "must be X: it does not fit the memory"),
        (OSError(5, "Input/output error"), "cannot be read: Input/output error"),
        (InputError("b", "k", 1, "must be 2"), "b: k = 1: must be 2"),
    ],
)
def test_one_line(thrown, said):
    with pytest.raises(InputError) as caught, reading("a.x", "must be X"):
        raise thrown
    assert str(caught.value) in {f"a.x: {said}", said}
    assert "\n" not in str(caught.value)


def test_what_the_user_stops_is_no_refusal():
    with pytest.raises(KeyboardInterrupt), reading("a.x", "must be X"):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "scalar", ["!!int foo", '!!int ""', "!!bool foo", "!!timestamp foo", "!!float ''", "!!binary é"]
)
def test_scalars_that_are_not_of_their_type(tmp_path, scalar):
    path = tmp_path / "x.yaml"
    path.write_text(f"name: {scalar}\n", encoding="utf-8")
    with pytest.raises(InputError, match="must be YAML"):
        read_yaml(path)


@pytest.mark.parametrize("kind", ["arch", "network", "compress"])
def test_names_that_no_file_can_have(kind):
    with pytest.raises(InputError, match="must be a file or one of"):
        resolve("alexnet" * 100, kind)
    with pytest.raises(InputError, match="no such file"):
        resolve("x" * 300 + ".yaml", kind)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_yaml(tmp_path, seed):
    """Bytes exchanged, removed, doubled, tags put in: read as something else, or refused."""
    rng = seeded(seed)
    sources = [
        (ArchConfig, CONFIGS / "machine" / "machine_csc_8x8.yaml"),
        (NetworkConfig, CONFIGS / "network" / "lenet5.yaml"),
    ]
    tags = [b"!!int ", b"!!set ", b"!!omap ", b"&a ", b"*a ", b"? ", b"!!python/name:os.system "]
    path = tmp_path / "x.yaml"
    messages = []
    for index in range(300):
        config, source = sources[index % 2]
        text = bytearray(source.read_bytes())
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(text)))
            kind = int(rng.integers(4))
            if kind == 0:
                text[at] = int(rng.integers(256))
            elif kind == 1:
                del text[at : at + int(rng.integers(1, 9))]
            elif kind == 2:
                text[at:at] = text[at : at + int(rng.integers(1, 40))]
            else:
                text[at:at] = tags[int(rng.integers(len(tags)))]
        path.write_bytes(text)
        try:
            load(config, path)
        except InputError as error:
            messages.append(str(error))
    assert len(messages) > 100
    assert not any("\n" in message for message in messages)


@pytest.mark.parametrize(
    ("read", "most"),
    [
        (read_yaml, "16,777,216"),
        (NetworkConfig.read, "16,777,216"),
        (lambda path: read_text(path, MAX_LIBRARY), "268,435,456"),
    ],
)
def test_a_file_without_an_end(tmp_path, read, most):
    """A device, or a file of which the disk holds nothing, does not fill the memory."""
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(1 << 36)
    for source in [path, *([] if read == NetworkConfig.read else [Path("/dev/zero")])]:
        with pytest.raises(InputError, match=f"{source}: must be at most {most} bytes"):
            read(source)


def test_lines_end_alike(tmp_path):
    (tmp_path / "a").write_bytes(b"a\r\nb\rc\n")
    assert read_text(tmp_path / "a") == "a\nb\nc\n"
