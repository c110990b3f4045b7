"""Times seed generators beside the same in PyTorch, in turn: class activation maps of ResNet-50, and a training step of
CAM on ResNet-50 and of DRS on VGG16.

    python -m venv venv && venv/bin/pip install torch==2.11.0 torchvision numpy safetensors pillow
    cmake --build build/release --target seeds_steps seedbed_resnet seedbed_vgg16 seedbed_cam seedbed_drs
    venv/bin/python tests/bench/seeds_beside_pytorch.py build/release ../shared/data/coco549/JPEGImages

Inference: scales 1, 0.5, 1.5, 2 and mirror images, from the JPEG file to normalised maps at the image's size, as IRN does
it. Training: one step of IRN's recipe on one batch (gradients from layer3 on, stored statistics, SGD), and one of DRS's
(a fixed share of 0.55 at all sixteen activations, Nesterov's SGD). The weights are random, the same on both sides;
`differs` is how far the sides' results lie apart.
"""
import argparse
import math
import pathlib
import statistics
import tempfile
import time

import numpy
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from pairs import Side

CLASSES = 20
RATE = 1e-3  # the weights are random: the recipes' rates would diverge
SCALES = (1.0, 0.5, 1.5, 2.0)
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        trunk = torchvision.models.resnet50(zero_init_residual=True)  # activations keep their size
        for module in (trunk.layer4[0].conv2, trunk.layer4[0].downsample[0]):
            module.stride = (1, 1)
        self.stem = nn.Sequential(trunk.conv1, trunk.bn1, trunk.relu, trunk.maxpool, trunk.layer1, trunk.layer2)
        self.top = nn.Sequential(trunk.layer3, trunk.layer4)
        self.classifier = nn.Conv2d(2048, CLASSES, 1, bias=False)
        self.trunk = [trunk]  # names of its parameters, not a child

    def train(self, mode=True):
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, x):
        x = self.stem(x).detach()
        return self.classifier(self.top(x).mean((2, 3), keepdim=True)).flatten(1)

    def cam(self, pair):
        maps = functional.relu(functional.conv2d(self.top(self.stem(pair)), self.classifier.weight))
        return maps[0] + maps[1].flip(-1)


    def state(self):
        state = {f"cam.backbone.{k}": v for k, v in self.trunk[0].state_dict().items() if not k.startswith("fc.")}
        return {**state, "cam.classifier.weight": self.classifier.weight}


class SuppressedRelu(nn.Module):
    def forward(self, x):
        x = functional.relu(x)
        return torch.minimum(x, 0.55 * x.amax((2, 3), keepdim=True))


class DrsNet(nn.Module):
    def __init__(self):
        super().__init__()
        features = torchvision.models.vgg16().features[:30]  # without the last pooling
        features[23] = nn.MaxPool2d(3, stride=1, padding=1)
        for index in (24, 26, 28):
            features[index].dilation = features[index].padding = (2, 2)
        for index, module in enumerate(features):
            if isinstance(module, nn.ReLU):
                features[index] = SuppressedRelu()
        self.features = features
        self.extra = nn.ModuleList(nn.Conv2d(512, 512, 3, padding=1) for _ in range(3))
        self.classifier = nn.Conv2d(512, CLASSES, 1)
        self.suppress = SuppressedRelu()

    def forward(self, x):
        x = self.features(x)
        for layer in self.extra:
            x = self.suppress(layer(x))
        return self.classifier(x).mean((2, 3))

    def state(self):
        extra = {f"drs.layers.extra_conv{int(k[0]) + 1}{k[1:]}": v for k, v in self.extra.state_dict().items()}
        return {**{f"drs.backbone.features.{k}": v for k, v in self.features.state_dict().items()}, **extra,
                **{f"drs.layers.classifier.{k}": v for k, v in self.classifier.state_dict().items()}}


def pillow_size(image, long_side):
    if not long_side:
        return image.size
    ratio = long_side / max(image.size)
    return tuple(max(1, round(side * ratio)) for side in image.size)


@torch.no_grad()
def localise(net, file, long_side):
    image = Image.open(file).convert("RGB")
    width, height = image.size
    base = pillow_size(image, long_side)
    maps = []
    for scale in SCALES:
        size = tuple(max(1, round(side * scale)) for side in base)
        pixels = torch.from_numpy(numpy.asarray(image.resize(size, Image.BICUBIC)).copy())
        x = ((pixels / 255 - MEAN) / STD).permute(2, 0, 1)
        maps.append(net.cam(torch.stack([x, x.flip(-1)])))
    up = (math.ceil(height / 16) * 16, math.ceil(width / 16) * 16)
    total = sum(functional.interpolate(m[None], up, mode="bilinear", align_corners=False)[0] for m in maps)
    kept = total[:2, :height, :width]
    return (kept / (kept.amax((1, 2), keepdim=True) + 1e-5)).mean().item()


def train(net, optimiser, images, labels):
    net.train()
    loss = functional.multilabel_soft_margin_loss(net(images), labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


def timed(function, *arguments):
    start = time.perf_counter()
    value = function(*arguments)
    return {"seconds": time.perf_counter() - start, "value": value}


def our_side(build, weights, long_side, threads):
    rule = f"long_side:{long_side}" if long_side else "native"
    return Side([build / "bench/seeds_steps", build / "lib/seedbed/plugins", weights, rule, threads])


def compare_training(command, name, ours_side, net, optimiser, images, labels, steps):
    ours, theirs = [], []
    for step in range(steps + 1):
        pair = ours_side.ask(command), timed(train, net, optimiser, images, labels)
        if step > 0:  # the first one takes its memory
            ours.append(pair[0]), theirs.append(pair[1])
    report(name, ours, theirs)


def report(name, ours, theirs):
    median = lambda rows: statistics.median(row["seconds"] for row in rows)
    ratios = sorted(b["seconds"] / a["seconds"] for a, b in zip(ours, theirs))
    differs = max(abs(a["value"] - b["value"]) for a, b in zip(ours, theirs))
    total = sum(b["seconds"] for b in theirs) / sum(a["seconds"] for a in ours)
    print(f"{name:28}{len(ours):6}{median(ours):10.3f}{median(theirs):10.3f}{total:8.2f}"
          f"{statistics.median(ratios):8.2f}{ratios[len(ratios) // 10]:8.2f}{differs:12.2e}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path, help="the build folder")
    parser.add_argument("images", type=pathlib.Path, help="a folder of JPEG files")
    parser.add_argument("--count", type=int, default=100, help="images")
    parser.add_argument("--long-side", type=int, default=0, help="of the input at scale 1; 0: the image's own size")
    parser.add_argument("--steps", type=int, default=9, help="training steps")
    parser.add_argument("--batch", type=int, default=4, help="images of a training step")
    parser.add_argument("--crop", type=int, default=448, help="their size")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    net, drs = Net(), DrsNet()
    images = torch.randn(arguments.batch, 3, arguments.crop, arguments.crop)
    labels = (torch.rand(arguments.batch, CLASSES) < 0.1).float()
    with tempfile.TemporaryDirectory() as folder:
        weights = pathlib.Path(folder) / "weights.safetensors"
        state = {name: value.detach().contiguous() for name, value in {**net.state(), **drs.state()}.items()}
        save_file({**state, "images": images, "labels": labels}, weights)
        ours_side = our_side(arguments.build, weights, arguments.long_side, arguments.threads)
        print(f"{'':28}{'n':>6}{'ours':>10}{'theirs':>10}{'total':>8}{'median':>8}{'10 %':>8}{'differs':>12}")
        files = sorted(arguments.images.glob("*.jpg"))[:arguments.count]
        net.eval()
        ours_side.ask(f"localise {files[0]}"), localise(net, files[0], arguments.long_side)
        ours, theirs = [], []
        for file in files:
            ours.append(ours_side.ask(f"localise {file}"))
            theirs.append(timed(localise, net, file, arguments.long_side))
        report("maps, seconds an image", ours, theirs)
        groups = [{"params": net.top.parameters()}, {"params": net.classifier.parameters(), "lr": 10 * RATE}]
        optimiser = torch.optim.SGD(groups, lr=RATE, momentum=1e-4, weight_decay=1e-4)
        compare_training("train_cam", "CAM step, seconds", ours_side, net, optimiser, images, labels, arguments.steps)
        ours_drs = [*drs.extra.parameters(), *drs.classifier.parameters()]
        factors = ((drs.features.parameters(), 1), (ours_drs, 10))
        groups = [{"params": [p for p in parameters if (p.dim() == 1) == biases], "lr": RATE * factor * (1 + biases)}
                  for parameters, factor in ((list(p), f) for p, f in factors) for biases in (False, True)]
        optimiser = torch.optim.SGD(groups, lr=RATE, momentum=0.9, nesterov=True, weight_decay=5e-4)
        compare_training("train_drs", "DRS step, seconds", ours_side, drs, optimiser, images, labels, arguments.steps)


if __name__ == "__main__":
    main()
