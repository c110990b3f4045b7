"""Times passes through backbones beside Python PyTorch with the reference implementation, same weights, same threads.

    cmake --build build/release --target backbones_pass all_plugins
    python3 tests/bench/backbones_beside_pytorch.py build/release

Without --python it makes its own environment from PyPI (torch 2.11.0, torchvision, timm) in a temporary folder; with it, that
Python has to have them. A line is a pair of processes, asked in turn; the figures are medians over
the pairs after one pass each that is not counted. `wall` and `cpu` are their time over ours, by the clock and of the
processors: where other work shares the machine, `cpu` is the steadier one. `peak` is the growth of the process's peak
memory from the loaded model to the last pass, in MB. Before anything is timed, both sides' outputs are compared.
"""
import json
import pathlib
import resource
import sys
import tempfile
import time

from pairs import Side, asked_in_turn, memory_mb, parser_of, python_with, require_close, reset_peak_memory, row, table

PACKAGES = ["torch==2.11.0", "torchvision", "timm==1.0.31"]

# name: (plugin, method, tap, parameters, input size)
NETWORKS = {
    "resnet50": ("resnet", "resnet50", "final", [], 448),
    "vgg16": ("vgg16", "vgg16", "final", [], 321),
    "vit_b16": ("vit", "vit", "tokens", ["preset=vit_base"], 448),
    "clip_b16": ("clip", "clip", "tokens", [], 448),
}


def reference(name):
    """The network up to the features that the other side's tap holds, and the weights that both load."""
    import torch
    import torchvision

    torch.manual_seed(0)
    if name == "resnet50":
        net = torchvision.models.resnet50()
        return torch.nn.Sequential(*list(net.children())[:-2]), net.state_dict()
    if name == "vgg16":
        net = torchvision.models.vgg16()
        return net.features, net.state_dict()
    if name == "vit_b16":
        import timm

        net = timm.create_model("vit_base_patch16_224", pretrained=False, dynamic_img_size=True)
        net.forward = net.forward_features
        return net, net.state_dict()
    from clip_vision import VisionTransformer

    net = VisionTransformer()
    return net, {f"visual.{key}": value for key, value in net.state_dict().items()}


def peer(name, size, batch, mode, threads, weights):
    """The other side: answers each line on standard input with a pass."""
    import torch

    torch.set_num_threads(threads)
    net, state = reference(name)
    if weights:
        torch.save(state, weights)
    del state
    net.eval()
    reset_peak_memory()
    before = memory_mb("VmRSS")
    for _ in sys.stdin:
        images = torch.arange(batch * 3 * size * size, dtype=torch.float32).mul_(0.37).sin_().view(batch, 3, size, size)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        start = time.perf_counter()
        with torch.set_grad_enabled(mode == "backward"):
            output = net(images)
            if mode == "backward":
                output.mean().backward()
        seconds = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_SELF)
        net.zero_grad(set_to_none=True)
        print(json.dumps({"seconds": seconds,
                          "processor": after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime,
                          "growth_mb": memory_mb("VmHWM") - before,
                          "checksum": output.detach().abs().mean().item()}), flush=True)


def compare(build, python, name, batch, mode, threads, number, weights):
    plugin, method, tap, parameters, size = NETWORKS[name]
    common = [size, batch, mode, threads]
    theirs = Side([python, __file__, "--peer", name, *common, weights])
    theirs.ask()  # the weights are written, the first pass is made
    ours = Side([build / "bench/backbones_pass", build / f"lib/seedbed/plugins/seedbed_{plugin}.so", method, tap, weights,
                 *common, *parameters])
    require_close(name, ours.ask(), theirs.ask())
    pairs = asked_in_turn(ours, theirs, number)
    row(f"{name} {size}", batch, mode, f"{pairs.median(0):.3f}", f"{pairs.median(1):.3f}", f"{pairs.ratio():.2f}",
        f"{pairs.ratio('processor'):.2f}", *(f"{pairs.median(side, 'growth_mb'):.0f}" for side in (0, 1)))


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--modes", nargs="+", choices=["forward", "backward"], default=["forward", "backward"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = python_with(PACKAGES, arguments.python, folder)
        table("network", "images", "pass", "ours s", "PyTorch s", "wall", "cpu", "peak ours MB", "PyTorch MB")
        for name in arguments.networks:
            for mode in arguments.modes:
                for batch in arguments.batches:
                    compare(arguments.build, python, name, batch, mode, arguments.threads, arguments.pairs,
                            pathlib.Path(folder) / f"{name}.pth")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], int(sys.argv[6]), sys.argv[7])
    else:
        main()
