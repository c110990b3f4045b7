"""Writes the goldens of this folder: DeepLabV2 in its multi-scale wrapper and DeepLabV3+, in the layout of deeplab-pytorch,
as plain PyTorch modules written for this from the papers and the shared folder's notes (`goldens/backbones/README.md`).
Small networks: one or two blocks a stage.

    python -m venv venv && venv/bin/pip install torch==2.11.0 safetensors numpy
    SEEDBED_SHARED=... venv/bin/python make_goldens.py
"""
import pathlib
import sys
from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))
from golden_files import formula, write_golden, write_index  # noqa: E402

GAIN = 0.7
CLASSES = 21


def normed(in_channels, out_channels, kernel=1, stride=1, dilation=1, relu=True):
    parts = OrderedDict(conv=nn.Conv2d(in_channels, out_channels, kernel, stride,
                                       dilation * (kernel // 2), dilation, bias=False),
                        bn=nn.BatchNorm2d(out_channels, eps=1e-5))
    if relu:
        parts["relu"] = nn.ReLU()
    return nn.Sequential(parts)


class Bottleneck(nn.Module):
    def __init__(self, in_channels, out_channels, stride, dilation, has_shortcut):
        super().__init__()
        width = out_channels // 4
        self.reduce = normed(in_channels, width, stride=stride)
        self.conv3x3 = normed(width, width, 3, dilation=dilation)
        self.increase = normed(width, out_channels, relu=False)
        self.shortcut = normed(in_channels, out_channels, stride=stride, relu=False) if has_shortcut else nn.Identity()

    def forward(self, x):
        return functional.relu(self.increase(self.conv3x3(self.reduce(x))) + self.shortcut(x))


class Stage(nn.Sequential):
    def __init__(self, depth, in_channels, out_channels, stride, dilation, grid=()):
        blocks = OrderedDict()
        for i in range(depth):
            factor = grid[i] if grid else 1
            blocks[f"block{i + 1}"] = Bottleneck(in_channels if i == 0 else out_channels, out_channels,
                                                 stride if i == 0 else 1, dilation * factor, i == 0)
        super().__init__(blocks)


class ResNet(nn.Module):
    """Up to layer5; the subclasses go on."""

    def __init__(self, blocks, output_stride, grid=()):
        super().__init__()
        strides = {8: (1, 2, 1, 1), 16: (1, 2, 2, 1)}[output_stride]
        dilations = {8: (1, 1, 2, 4), 16: (1, 1, 1, 2)}[output_stride]
        self.layer1 = nn.Sequential(OrderedDict(
            conv1=nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 64, 7, 2, 3, bias=False),
                                            bn=nn.BatchNorm2d(64, eps=1e-5), relu=nn.ReLU())),
            pool=nn.MaxPool2d(3, 2, 1, ceil_mode=True)))
        channels = 64
        for i in range(4):
            stage = Stage(blocks[i], channels, 256 << i, strides[i], dilations[i], grid if i == 3 else ())
            setattr(self, f"layer{i + 2}", stage)
            channels = 256 << i

    def stages(self, x):
        found = {"stem": self.layer1(x)}
        value = found["stem"]
        for i in range(2, 6):
            value = found[f"layer{i}"] = getattr(self, f"layer{i}")(value)
        return found


class DeepLabV2(ResNet):
    def __init__(self, blocks, rates):
        super().__init__(blocks, 8)
        self.aspp = nn.ModuleDict({f"c{i}": nn.Conv2d(2048, CLASSES, 3, padding=rate, dilation=rate)
                                   for i, rate in enumerate(rates)})

    def outputs(self, x):
        found = self.stages(x)
        found["logits"] = sum(branch(found["layer5"]) for branch in self.aspp.values())
        return found


def largest_over_scales(network, x, scales):
    found = network.outputs(x)
    logits = [found["logits"]]
    for scale in scales:
        smaller = functional.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
        logits.append(functional.interpolate(network.outputs(smaller)["logits"], size=logits[0].shape[2:],
                                             mode="bilinear", align_corners=False))
    found["logits"] = torch.stack(logits).max(dim=0)[0]
    return found


class Pyramid(nn.Module):
    def __init__(self, rates):
        super().__init__()
        self.stages = nn.ModuleDict({"c0": normed(2048, 256)})
        for i, rate in enumerate(rates):
            self.stages[f"c{i + 1}"] = normed(2048, 256, 3, dilation=rate)
        self.stages["imagepool"] = nn.ModuleDict({"conv": normed(2048, 256)})

    def forward(self, x):
        maps = [stage(x) for name, stage in self.stages.items() if name != "imagepool"]
        average = self.stages["imagepool"]["conv"](functional.adaptive_avg_pool2d(x, 1))
        maps.append(functional.interpolate(average, size=x.shape[2:], mode="bilinear", align_corners=False))
        return torch.cat(maps, dim=1)


class DeepLabV3Plus(ResNet):
    def __init__(self, blocks, rates, grid, output_stride):
        super().__init__(blocks, output_stride, grid)
        self.aspp = Pyramid(rates)
        self.fc1 = normed(256 * (len(rates) + 2), 256)
        self.reduce = normed(256, 48)
        self.fc2 = nn.Sequential(OrderedDict(conv1=normed(304, 256, 3), conv2=normed(256, 256, 3),
                                             conv3=nn.Conv2d(256, CLASSES, 1)))

    def outputs(self, x):
        found = self.stages(x)
        early = self.reduce(found["layer2"])
        late = functional.interpolate(self.fc1(self.aspp(found["layer5"])), size=early.shape[2:], mode="bilinear",
                                      align_corners=False)
        found["head"] = self.fc2(torch.cat((late, early), dim=1))
        found["logits"] = functional.interpolate(found["head"], size=x.shape[2:], mode="bilinear", align_corners=False)
        return found


# name: (model, config, network, what runs it, height, width)
SCALES = [0.75, 0.5]
GOLDENS = {
    "deeplab_v2-scales": (
        "deeplab_v2", f"n_classes = {CLASSES}, n_blocks = [1, 1, 2, 1], atrous_rates = [6, 12, 18, 24], "
        f"scales = {SCALES}", lambda: DeepLabV2([1, 1, 2, 1], [6, 12, 18, 24]),
        lambda network, x: largest_over_scales(network, x, SCALES), 67, 97),
    "deeplab_v3_plus-grid": (
        "deeplab_v3_plus", f"n_classes = {CLASSES}, n_blocks = [1, 1, 1, 3], atrous_rates = [6, 12, 18], "
        "multi_grids = [1, 2, 4], output_stride = 16",
        lambda: DeepLabV3Plus([1, 1, 1, 3], [6, 12, 18], [1, 2, 4], 16), lambda network, x: network.outputs(x), 65, 97),
}


def write(name, model, config, make, run, height, width):
    network = make().eval()
    with torch.no_grad():
        for key, value in network.state_dict().items():
            value.copy_(torch.from_numpy(formula.tensor(key, value.shape, GAIN)))
        about = {"group": "head", "model": model, "config": f'layout = "deeplab_pytorch", {config}',
                 "source": "make_goldens.py"}
        return write_golden(FOLDER, name, network, run, (height, width), GAIN, about)


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_index(FOLDER, [write(name, *golden) for name, golden in GOLDENS.items()])
