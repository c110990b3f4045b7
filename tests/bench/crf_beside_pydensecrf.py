"""Times the dense CRF beside pydensecrf: one image of each side in turn, lattices included, one thread.

    cmake --build build/release --target crf_pass
    python3 tests/bench/crf_beside_pydensecrf.py build/release --images FOLDER

FOLDER holds photographs (JPEG), which come to 500 x 375; without it, pictures are made of gradients, discs and noise. The
energies are -log softmax of smooth random scores. Without --python it makes its own environment from PyPI in a temporary
folder: pydensecrf2 1.1, the same C++ core as pydensecrf, whose own release does not build on Python 3.11. A line is medians
over the pairs, after one pass each that is not counted; `wall` and `cpu` are their time over ours, by the clock and of
the processor; `agreement` is the smallest share of equal labels of any image.
"""
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from pairs import Pairs, Side, parser_of, python_with, row, table

PACKAGES = ["pydensecrf2==1.1", "numpy", "pillow"]
HEIGHT, WIDTH, ITERATIONS = 375, 500, 10
# Gauss sigma and weight, bilateral xy, rgb and weight.
PRESETS = {"psa": [3, 3, 80, 13, 10], "deeplab": [1, 3, 67, 3, 4]}


def peer(labels, numbers):
    """The other side: answers each line (image, energies, where the labels go) with one CRF."""
    import numpy as np
    import pydensecrf.densecrf as densecrf

    gauss_sigma, gauss_weight, xy, rgb, weight = numbers
    for line in sys.stdin:
        image_file, unary_file, out_file = line.split()
        image = np.fromfile(image_file, np.uint8).reshape(HEIGHT, WIDTH, 3)
        unary = np.fromfile(unary_file, np.float32).reshape(labels, -1)
        usage, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        crf = densecrf.DenseCRF2D(WIDTH, HEIGHT, labels)
        crf.setUnaryEnergy(unary)
        crf.addPairwiseGaussian(sxy=gauss_sigma, compat=gauss_weight)
        crf.addPairwiseBilateral(sxy=xy, srgb=rgb, rgbim=image, compat=weight)
        marginals = crf.inference(ITERATIONS)
        seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
        np.argmax(np.array(marginals), 0).astype(np.uint8).tofile(out_file)
        print(json.dumps({"seconds": seconds,
                          "processor": after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime}), flush=True)


def made_picture(generator):
    import numpy as np

    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    picture = np.stack([x * generator.uniform(0, 0.4), y * generator.uniform(0, 0.5), x * 0 + generator.uniform(0, 200)], -1)
    for _ in range(12):
        centre, radius = generator.uniform([0, 0], [HEIGHT, WIDTH]), generator.uniform(20, 90)
        picture[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius ** 2] = generator.uniform(0, 255, 3)
    return np.clip(picture + generator.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def prepare(folder, images, count, labels):
    """Writes `count` images and their energies for each number of labels (run in the Python that has the packages)."""
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(0)
    found = sorted(pathlib.Path(images).rglob("*.jpg"))[:count] if images else []
    for i in range(count):
        if images:
            picture = np.array(Image.open(found[i]).convert("RGB").resize((WIDTH, HEIGHT)))
        else:
            picture = made_picture(generator)
        picture.tofile(f"{folder}/{i}.image")
        for k in labels:
            planes = [np.array(Image.fromarray(plane).resize((WIDTH, HEIGHT), Image.BICUBIC))
                      for plane in generator.normal(0, 3, (k, 9, 12)).astype(np.float32)]
            scores = np.stack(planes)
            scores -= scores.max(0)
            probabilities = np.exp(scores) / np.exp(scores).sum(0)
            (-np.log(np.clip(probabilities, 1e-5, 1))).astype(np.float32).tofile(f"{folder}/{i}.{k}.unary")


def compare(build, python, folder, preset, labels, count):
    numbers = PRESETS[preset]
    ours = Side([build / "bench/crf_pass", HEIGHT, WIDTH, labels, ITERATIONS, *numbers])
    theirs = Side([python, __file__, "--peer", labels, *numbers])
    rows, agreement = [], 1.0
    for i in range(-1, count):
        at = max(i, 0)
        inputs = [f"{folder}/{at}.image", f"{folder}/{at}.{labels}.unary"]
        answers = ours.ask(*inputs, f"{folder}/ours"), theirs.ask(*inputs, f"{folder}/theirs")
        found, wanted = (pathlib.Path(folder, side).read_bytes() for side in ("ours", "theirs"))
        agreement = min(agreement, sum(a == b for a, b in zip(found, wanted)) / len(wanted))
        if i >= 0:
            rows.append(answers)
    ours.end(), theirs.end()

    pairs = Pairs(rows)
    row(preset, labels, f"{pairs.median(0):.3f}", f"{pairs.median(1):.3f}", f"{pairs.ratio():.2f}",
        f"{pairs.ratio('processor'):.2f}", f"{100 * agreement:.3f} %")


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--images", help="a folder of photographs")
    parser.add_argument("--count", type=int, default=9, help="images, each one pair")
    parser.add_argument("--labels", nargs="+", type=int, default=[3, 21, 81])
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=list(PRESETS))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = python_with(PACKAGES, arguments.python, folder)
        subprocess.check_call([python, __file__, "--prepare", folder, arguments.images or "", str(arguments.count),
                               *map(str, arguments.labels)])
        table("preset", "labels", "ours s", "pydensecrf s", "wall", "cpu", "agreement")
        for preset in arguments.presets:
            for labels in arguments.labels:
                compare(arguments.build, python, folder, preset, labels, arguments.count)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(int(sys.argv[2]), [float(word) for word in sys.argv[3:]])
    elif sys.argv[1:2] == ["--prepare"]:
        prepare(sys.argv[2], sys.argv[3], int(sys.argv[4]), [int(word) for word in sys.argv[5:]])
    else:
        main()
