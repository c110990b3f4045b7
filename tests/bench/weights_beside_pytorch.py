"""Times loading weights beside torch.load and safetensors: interleaved pairs, the median of each, one thread.

    python -m venv venv && venv/bin/pip install torch==2.11.0 numpy safetensors
    cmake --build build/release --target weights_load
    venv/bin/python tests/bench/weights_beside_pytorch.py build/release/bench/weights_load

`read`: until the tensors are there (mapped ones have not been touched). `filled`: until every value lies in a parameter
of float32 that was there before, as loading a model does. Files are made anew in a temporary folder and lie in the page
cache. `peak`: growth of the process's peak memory over its first load and fill, in sizes of the file, parameters
(another copy) included.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from safetensors.torch import load_file, save_file

from pairs import Side


def convolutional():  # shapes of ResNet-50: 102 MB
    tensors = {"conv1.weight": torch.randn(64, 3, 7, 7)}
    width_in = 64
    for stage, (blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)]):
        for block in range(blocks):
            name = f"layer{stage + 1}.{block}"
            shapes = [(width, width_in, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)]
            for i, shape in enumerate(shapes):
                tensors[f"{name}.conv{i + 1}.weight"] = torch.randn(shape)
                for part in ("weight", "bias", "running_mean", "running_var"):
                    tensors[f"{name}.bn{i + 1}.{part}"] = torch.randn(shape[0])
                tensors[f"{name}.bn{i + 1}.num_batches_tracked"] = torch.tensor(7)
            width_in = 4 * width
    tensors["fc.weight"] = torch.randn(1000, 2048)
    return tensors


def transformer():  # shapes of ViT-B/16: 345 MB
    tensors = {"pos_embed": torch.randn(1, 197, 768), "patch_embed.proj.weight": torch.randn(768, 3, 16, 16)}
    for block in range(12):
        for name, shape in {"attn.qkv.weight": (2304, 768), "attn.proj.weight": (768, 768), "mlp.fc1.weight": (3072, 768),
                            "mlp.fc2.weight": (768, 3072), "norm1.weight": (768,), "norm2.weight": (768,)}.items():
            tensors[f"blocks.{block}.{name}"] = torch.randn(shape)
    return tensors


class Holder(torch.nn.Module):
    def __init__(self, tensors):
        super().__init__()
        for name, tensor in tensors.items():
            self.register_buffer(name.replace(".", "_"), tensor)

    def forward(self):
        return 0


def write_files(folder):
    net, vit = convolutional(), transformer()
    half = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in vit.items()}
    torch.save(net, folder / "convolutional.pth")
    torch.save(net, folder / "convolutional_legacy.pth", _use_new_zipfile_serialization=False)
    save_file(net, folder / "convolutional.safetensors")
    torch.save(vit, folder / "transformer.pth")
    torch.save(vit, folder / "transformer_legacy.pth", _use_new_zipfile_serialization=False)
    save_file(vit, folder / "transformer.safetensors")
    save_file(half, folder / "transformer_half.safetensors")
    torch.save(half, folder / "transformer_half.pth")
    torch.jit.script(Holder(half)).save(str(folder / "transformer_half_scripted.pt"))


def read(file):
    if file.suffix == ".safetensors":
        return load_file(file)
    if file.suffix == ".pt":
        return dict(torch.jit.load(file, map_location="cpu").named_buffers())
    return torch.load(file, map_location="cpu", weights_only=True)


def peak_mb():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024


def load(file, parameters):
    start = time.perf_counter()
    tensors = read(file)
    seconds_read = time.perf_counter() - start
    with torch.no_grad():
        for name, tensor in tensors.items():
            key = (file, name)
            if key not in parameters:
                parameters[key] = torch.zeros(tensor.shape, dtype=torch.float32 if tensor.is_floating_point() else tensor.dtype)
            parameters[key].copy_(tensor)
    return {"read": seconds_read, "filled": time.perf_counter() - start, "peak_mb": peak_mb()}


def serve():  # the other side of --peak: one load in a process of its own
    torch.set_num_threads(1)
    file = pathlib.Path(sys.argv[2])
    torch.zeros(1)
    before = peak_mb()
    print(json.dumps({"growth_mb": load(file, {})["peak_mb"] - before}))


def our_growth(program, tiny, file):
    side = Side([program])
    before = side.ask(tiny)["peak_mb"]
    return side.ask(file)["peak_mb"] - before


def their_growth(file):
    return json.loads(subprocess.check_output([sys.executable, __file__, "--one", file]))["growth_mb"]


def compare(program, folder, pairs):
    tiny = folder / "tiny.pth"
    torch.save({"a": torch.zeros(1)}, tiny)
    side, parameters = Side([program]), {}
    print(f"{'file':34}{'MB':>6}{'read: ours':>12}{'theirs':>9}{'filled: ours':>14}{'theirs':>9}{'ratio':>7}"
          f"{'peak: ours':>12}{'theirs':>8}")
    for file in sorted(folder.iterdir()):
        if file == tiny:
            continue
        side.ask(file), load(file, parameters)  # makes the parameters, fills the page cache
        ours, theirs = [], []
        for _ in range(pairs):
            ours.append(side.ask(file))
            theirs.append(load(file, parameters))
        median = lambda rows, key: statistics.median(row[key] for row in rows)
        ratio = statistics.median(b["filled"] / a["filled"] for a, b in zip(ours, theirs))
        size = file.stat().st_size / 2**20
        print(f"{file.name:34}{size:6.0f}{median(ours, 'read'):12.4f}{median(theirs, 'read'):9.4f}"
              f"{median(ours, 'filled'):14.4f}{median(theirs, 'filled'):9.4f}{ratio:7.2f}"
              f"{our_growth(program, tiny, file) / size:12.2f}{their_growth(file) / size:8.2f}", flush=True)
        parameters.clear()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the built weights_load")
    parser.add_argument("--pairs", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write_files(pathlib.Path(folder))
        compare(arguments.program, pathlib.Path(folder), arguments.pairs)


if __name__ == "__main__":
    serve() if sys.argv[1:2] == ["--one"] else main()
