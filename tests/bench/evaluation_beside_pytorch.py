"""Times the counting of label maps and the sweep of thresholds beside NumPy and torchmetrics, on one thread each.

    cmake --build build/release --target evaluation_pass
    python3 tests/bench/evaluation_beside_pytorch.py build/release

Without --python it makes its own environment from PyPI in a temporary folder; with it, that Python has to have NumPy,
safetensors, torch 2.11.0 and torchmetrics. A line is a pair of processes, asked in turn; the figures are medians over the pairs
after one pass each that is not counted, ratios are their time over ours. Counts are compared first and have to be equal.

`evaluate`: 1,449 maps of 375 x 500, 21 labels, objects with ragged outlines and a void contour. NumPy once as
segmentation code has it (the valid pixels, widened), and once as fast as it goes (pairs of bytes as one uint16);
torchmetrics' MulticlassConfusionMatrix without validation. `sweep`: 100 thresholds over maps of one to three classes;
NumPy once as a full pass a threshold, and once as a histogram over (truth, plane, threshold).
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from pairs import Side, asked_in_turn, parser_of, python_with, row, table

PACKAGES = ["numpy", "safetensors", "torch==2.11.0", "torchmetrics"]
HEIGHT, WIDTH, LABELS, MAPS, PASSES, THRESHOLDS = 375, 500, 21, 161, 1449, 100


def np_range(begin, end):
    import numpy as np

    return np.arange(begin, end)


def ragged_ellipses(rng, labels, jitter):
    """A label map of an ellipse for each label, its outline moved by `jitter` and by noise."""
    import numpy as np

    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    distances = np.full((HEIGHT, WIDTH), 9, np.float32)
    out = np.zeros((HEIGHT, WIDTH), np.uint8)
    for label, (cy, cx, ry, rx) in labels:
        noise = rng.normal(0, jitter, (HEIGHT, WIDTH)).astype(np.float32)
        distance = np.hypot((y - cy) / ry, (x - cx) / rx) + noise
        out[(distance < 1) & (distance < distances)] = label
        distances = np.minimum(distances, distance)
    return out, distances


def scene(rng):
    count = rng.integers(1, 4)
    return [(int(label), (rng.uniform(60, 310), rng.uniform(80, 420), rng.uniform(40, 150), rng.uniform(40, 180)))
            for label in rng.choice(np_range(1, LABELS), count, replace=False)]


def write_maps(file):
    import numpy as np
    from safetensors.numpy import save_file

    rng = np.random.default_rng(0)
    truths, predictions = [], []
    for _ in range(MAPS):
        labels = scene(rng)
        truth, distance = ragged_ellipses(rng, labels, 0)
        truth[np.abs(distance - 1) < 0.03] = 255
        moved = [(label, (cy + rng.normal(0, 8), cx + rng.normal(0, 8), ry, rx)) for label, (cy, cx, ry, rx) in labels]
        truths.append(truth)
        predictions.append(ragged_ellipses(rng, moved, 0.02)[0])
    save_file({"truth": np.stack(truths), "prediction": np.stack(predictions)}, file)


def write_scores(file, images):
    import numpy as np
    from safetensors.numpy import save_file

    rng = np.random.default_rng(1)
    tensors = {}
    for i in range(images):
        labels = sorted(scene(rng))
        truth, _ = ragged_ellipses(rng, labels, 0)
        planes = []
        for label in labels:
            _, distance = ragged_ellipses(rng, [label], 0.02)
            planes.append(np.clip(1.2 - 0.6 * distance, 0, 1))
        scores = np.stack(planes).astype(np.float32)
        tied = rng.random(scores.shape) < 0.1
        scores[tied] = np.round(scores[tied] * 100) / 100  # exactly on a threshold
        tensors |= {f"scores.{i}": scores, f"truth.{i}": truth,
                    f"planes.{i}": np.array([label for label, _ in labels], np.int64)}
    save_file(tensors, file)


def checksum(counts):
    flat = counts.reshape(-1).astype("int64")
    return int((flat * np_range(1, flat.size + 1)).sum())


def counted_by_numpy(truth, prediction):
    import numpy as np

    valid = truth < LABELS
    return np.bincount(LABELS * truth[valid].astype(int) + prediction[valid],
                       minlength=LABELS ** 2).reshape(LABELS, LABELS)


def counted_as_pairs(truth, prediction):
    import numpy as np

    pairs = np.left_shift(truth, 8, dtype=np.uint16)
    pairs |= prediction
    return np.bincount(pairs.ravel(), minlength=65536).reshape(256, 256)[:LABELS, :LABELS]


def counted_by_torchmetrics():
    import torch
    from torchmetrics.classification import MulticlassConfusionMatrix

    torch.set_num_threads(1)
    metric = MulticlassConfusionMatrix(LABELS, ignore_index=255, validate_args=False)

    def all_maps(truths, predictions, passes):
        metric.reset()
        truths, predictions = torch.from_numpy(truths), torch.from_numpy(predictions)
        for i in range(passes):
            metric.update(predictions[i % len(truths)], truths[i % len(truths)])
        return metric.compute().numpy()

    return all_maps


def by_map(count):
    def all_maps(truths, predictions, passes):
        total = 0
        for i in range(passes):
            total = total + count(truths[i % len(truths)], predictions[i % len(truths)])
        return total

    return all_maps


def tallied(confusion):
    """Hits, true and predicted pixels of each label."""
    import numpy as np

    return np.stack([np.diag(confusion), confusion.sum(1), confusion.sum(0)], 1)


def full_passes(scores, planes, truth):
    import numpy as np

    keys = np.concatenate([[0], planes])
    padded = np.concatenate([np.zeros_like(scores[:1]), scores])
    out = np.zeros((THRESHOLDS, LABELS, 3), np.int64)
    for k in range(THRESHOLDS):
        padded[0] = np.float32(k / THRESHOLDS)
        out[k] = tallied(counted_by_numpy(truth, keys[np.argmax(padded, 0)]))
    return out


def histogram(scores, planes, truth):
    import numpy as np

    thresholds = (np_range(0, THRESHOLDS) / THRESHOLDS).astype(np.float32)
    best, plane = scores[0].copy(), np.zeros(truth.shape, np.int32)
    for p in range(1, len(planes)):
        plane[scores[p] > best] = p
        np.maximum(best, scores[p], out=best)
    # Thresholds below the largest score: a product says where, two comparisons settle it.
    below = np.minimum((best * np.float32(THRESHOLDS)).astype(np.int32), THRESHOLDS - 1)
    below += thresholds[below] < best
    below -= (below > 0) & (thresholds[below - 1] >= best)
    shape = (LABELS + 1, len(planes), THRESHOLDS + 1)
    cells = np.minimum(truth, LABELS).astype(np.int32)  # void has a row of its own
    cells = (cells * shape[1] + plane) * shape[2] + below
    counts = np.bincount(cells.ravel(), minlength=shape[0] * shape[1] * shape[2]).reshape(shape)[:LABELS]
    above = np.cumsum(counts[:, :, ::-1], 2)[:, :, ::-1][:, :, 1:]  # foreground at each threshold
    truths = counts.sum((1, 2))
    out = np.zeros((THRESHOLDS, LABELS, 3), np.int64)
    out[:, :, 1] = truths
    out[:, planes, 2] = above.sum(0).T
    for p, label in enumerate(planes):
        out[:, label, 0] = above[label, p]
    out[:, 0, 0] = truths[0] - above[0].sum(0)
    out[:, 0, 2] = truths.sum() - above.sum((0, 1))
    return out


def peer(name, file):
    """The other side: answers each line on standard input with a pass."""
    from safetensors.numpy import load_file

    data = load_file(file)
    if name in ("passes", "histogram"):
        count = full_passes if name == "passes" else histogram
        images = [(data[f"scores.{i}"], data[f"planes.{i}"], data[f"truth.{i}"]) for i in range(len(data) // 3)]

        def run():
            return sum(count(*image) for image in images)
    else:
        counts = {"numpy": by_map(counted_by_numpy), "pairs": by_map(counted_as_pairs)}
        count = counts[name] if name in counts else counted_by_torchmetrics()

        def run():
            return count(data["truth"], data["prediction"], PASSES)

    for _ in sys.stdin:
        start, processor = time.perf_counter(), time.process_time()
        result = run()
        print(json.dumps({"seconds": time.perf_counter() - start, "processor": time.process_time() - processor,
                          "checksum": checksum(result)}), flush=True)


def compare(build, python, what, name, file, count, units, number):
    single = {"OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    ours = Side([build / "bench/evaluation_pass", what, file, LABELS, count], single)
    theirs = Side([python, __file__, "--peer", name, file], single)
    if ours.ask()["checksum"] != theirs.ask()["checksum"]:
        raise SystemExit(f"{what} beside {name}: the counts differ")
    pairs = asked_in_turn(ours, theirs, number)
    row(what, name, *(f"{1000 * pairs.median(side) / units:.3f}" for side in (0, 1)), f"{pairs.ratio():.1f}",
        f"{pairs.ratio('processor'):.1f}")


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--images", type=int, default=10, help="of the sweep")
    parser.add_argument("--only", nargs="+", choices=["numpy", "pairs", "torchmetrics", "passes", "histogram"],
                        default=["numpy", "pairs", "torchmetrics", "passes", "histogram"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        python = python_with(PACKAGES, arguments.python, folder)
        subprocess.check_call([python, __file__, "--write", folder, str(arguments.images)])
        table("what", "beside", "ours ms", "theirs ms", "wall", "cpu")
        for peers_name in arguments.only:
            if peers_name in ("passes", "histogram"):
                compare(arguments.build, python, "sweep", peers_name, folder / "scores.safetensors", THRESHOLDS,
                        arguments.images, arguments.pairs)
            else:
                compare(arguments.build, python, "evaluate", peers_name, folder / "maps.safetensors", PASSES, PASSES,
                        arguments.pairs)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(sys.argv[2], sys.argv[3])
    elif sys.argv[1:2] == ["--write"]:
        write_maps(pathlib.Path(sys.argv[2]) / "maps.safetensors")
        write_scores(pathlib.Path(sys.argv[2]) / "scores.safetensors", int(sys.argv[3]))
    else:
        main()
