"""Writes the fixtures of this folder's tests. Needs PyTorch 2.11 and NumPy:

    python -m venv venv && venv/bin/pip install torch==2.11.0 numpy && venv/bin/python make_fixtures.py

Values follow a rule that the tests know: element i of the n-th tensor of a file is n + i / 4 (numbers are cut to the
type, bools are odd i). Writing again changes bytes (names of archives, order of storages) but no value.
"""
import argparse
import collections
import gzip
import io
import pathlib
import pickle
import shutil
import warnings
import zipfile

import numpy
import torch

FOLDER = pathlib.Path(__file__).parent / "fixtures"
LEGACY = {"_use_new_zipfile_serialization": False}


def ramp(n, shape, dtype=torch.float32):
    count = int(numpy.prod(shape, dtype=int))
    values = n + torch.arange(count, dtype=torch.float64) / 4
    if dtype == torch.bool:
        values = torch.arange(count) % 2
    return values.to(dtype).reshape(shape)


def types():
    names = """float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128
               uint16 uint32 uint64 float8_e4m3fn float8_e5m2""".split()
    return {name: ramp(n, (2, 3), getattr(torch, name)) for n, name in enumerate(names)}


def legacy_types():  # the format is older than the other types
    return {name: tensor for name, tensor in list(types().items())[:10]}


def views():
    base = ramp(0, (4, 6))
    return {
        "base": base,
        "transposed": base.t(),
        "columns": base[:, 1::2],
        "last_row": base[3],
        "expanded": ramp(5, (1, 3)).expand(4, 3),
        "scalar": ramp(6, ()),
        "empty": ramp(7, (0, 3)),
        "channels_last": ramp(8, (1, 2, 2, 3)).contiguous(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(ramp(9, (3,))),
    }


def state(offset, wrapper=""):
    named = collections.OrderedDict()
    for n, (name, shape) in enumerate([("conv.weight", (2, 1, 3, 3)), ("conv.bias", (2,)), ("fc.weight", (4, 2))]):
        named[wrapper + name] = ramp(offset + n, shape)
    return named


def checkpoint():
    model = torch.nn.Linear(2, 2)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.zeros(1, 2)).sum().backward()
    optimiser.step()
    return {
        "epoch": 7,
        "arch": "resnet50",
        "best": numpy.float64(0.75),
        "model_ema": state(100, "module."),
        "state_dict": state(0, "module."),
        "optimizer": optimiser.state_dict(),
        "args": argparse.Namespace(lr=0.1, name="run"),
        "size": torch.Size([3, 4]),
        "type": torch.float32,
        "device": torch.device("cpu"),
        "seen": {1, 2},
        "counts": collections.Counter("aab"),
        "history": collections.defaultdict(list, loss=[1.0, 2.0]),
    }


class Block(torch.nn.Module):
    """Of our own, so that no source of PyTorch's goes into the archives."""

    def __init__(self, shape):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(shape))
        self.register_buffer("seen", torch.tensor(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight.sum()


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = Block((2, 1, 3, 3))
        self.fc = Block((4, 2))
        self.again = self.fc
        self.register_buffer("input_resolution", torch.tensor(224))
        self.sizes = [1, 2]
        self.names = {"a": 1}
        self.scale = 0.5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x)) * self.scale


def scripted():
    net = Net()
    for n, tensor in enumerate([net.conv.weight, net.fc.weight, net.conv.seen, net.fc.seen]):
        tensor.data.copy_(ramp(n, tensor.shape))
    net.conv.half()
    return torch.jit.script(net)


def arrays():
    def ramp_array(n, shape, dtype):
        count = int(numpy.prod(shape, dtype=int))
        return (n + numpy.arange(count) / 4).astype(dtype).reshape(shape)

    return {
        "float": ramp_array(0, (2, 3), "<f4"),
        "fortran": numpy.asfortranarray(ramp_array(1, (2, 3), "<f8")),
        "big_endian": ramp_array(2, (2, 3), ">i4"),
        "half": ramp_array(3, (2,), "<f2"),
        "flags": numpy.array([False, True, True]),
        "empty": ramp_array(5, (0, 2), "<f4"),
        "scalar_array": numpy.array(6.5),
        numpy.int32(2007000032): ramp_array(7, (2,), "<i8"),
        "text": "\u00fcber",
        "words": numpy.array(["a", "bc"]),
        "number": -3,
        "large": 2**70,
        "fraction": 0.25,
        "nothing": None,
        "truth": True,
        "several": [1, (2, 3), {4}, frozenset([5]), b"\x00\xff", bytearray(b"ab")],
        "single": numpy.float32(1.5),
    }


def rezipped(source, target, compression, changed=lambda name, data: data):
    with zipfile.ZipFile(FOLDER / source) as old, zipfile.ZipFile(FOLDER / target, "w", compression) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), changed(name, old.read(name)), compression)


def swapped(name, data):
    if name.endswith("byteorder"):
        return b"big"
    return numpy.frombuffer(data, ">f4").astype("<f4").tobytes() if "/data/" in name else data


def save(name, content, **settings):
    torch.save(content, FOLDER / name, **settings)


def write_pytorch():
    save("types.pth", types())
    save("views.pth", views())
    save("checkpoint.pth", checkpoint())
    save("legacy.pth", checkpoint(), **LEGACY)
    save("legacy_types.pth", legacy_types(), **LEGACY)
    save("legacy_views.pth", views(), **LEGACY)
    save("legacy_protocol4.pth", state(0), pickle_protocol=4, **LEGACY)
    save("plain.pth", state(0))
    rezipped("plain.pth", "deflated.pth", zipfile.ZIP_DEFLATED)
    rezipped("plain.pth", "big_endian.pth", zipfile.ZIP_STORED, swapped)
    torch.serialization.set_crc32_options(False)
    save("no_checksums.pth", state(0))
    torch.serialization.set_crc32_options(True)
    save("sparse.pth", {"a": torch.eye(2).to_sparse()})
    save("quantised.pth", {"a": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)})
    save("conjugated.pth", {"a": torch.ones(2, dtype=torch.complex64).conj()})
    save("whole_module.pth", Block(1))
    save("legacy_module.pth", Block(1), **LEGACY)
    scripted().save(str(FOLDER / "scripted.pt"))


def write_pickles():
    for protocol in range(6):
        (FOLDER / f"arrays_protocol{protocol}.pickle").write_bytes(pickle.dumps(arrays(), protocol=protocol))
    numpy.save(FOLDER / "objects.npy", {"first": numpy.ones(2, "f4"), numpy.int32(12): numpy.zeros(3, "f4")})
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as packed:
        packed.write(pickle.dumps({"0_labels": numpy.array([3, 12])}, protocol=2))
    (FOLDER / "labels.pickle.gz").write_bytes(content.getvalue())
    (FOLDER / "tensors.pickle").write_bytes(pickle.dumps({"a": torch.ones(2)}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    write_pytorch()
    write_pickles()
    for file in sorted(FOLDER.iterdir()):
        print(f"{file.stat().st_size:7} {file.name}")
