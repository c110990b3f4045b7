"""Times the random walk of IRN and PAR beside Python, same inputs, same threads.

    cmake --build build/release --target propagation_pass
    python3 tests/bench/propagation_beside_pytorch.py build/release

Peers, written for this benchmark from the published formulas: `dense` is the walk as a matrix over all cells, squared
eight times (PyTorch); `sparse` the same matrix in SciPy's rows, applied 256 times; `convolution` is PAR as it is
published, which copies each plane to its 48 neighbours by convolutions with one-hot kernels in every iteration (PyTorch).
Without --python it makes its own environment from PyPI in a temporary folder; with it, that Python has to have the
packages. A line is a pair of processes, asked in turn; the figures are medians over the pairs after one pass each that is
not counted. Outputs are compared first. `growth` is that of the peak memory since the inputs were there, in MB.
"""
import json
import sys
import tempfile
import time

from pairs import Side, asked_in_turn, memory_mb, parser_of, python_with, require_close, reset_peak_memory, row, table

PACKAGES = ["torch==2.11.0", "numpy", "scipy"]
RADIUS, BETA, SQUARINGS = 5, 10, 8
DILATIONS, ITERATIONS = (1, 2, 4, 8, 12, 24), 10

# (what, peer, height, width, maps)
CASES = [("walk", "dense", 94, 63, 3), ("walk", "sparse", 94, 63, 3), ("par", "convolution", 224, 224, 3),
         ("par", "convolution", 224, 224, 21)]


def waves(torch, *shape):
    count = 1
    for size in shape:
        count *= size
    return torch.arange(count, dtype=torch.float32).mul_(0.37).sin_().add_(1).mul_(0.5).view(*shape)


def half_disc():
    return [(dy, dx) for dy in range(RADIUS) for dx in range(-RADIUS + 1, RADIUS)
            if (dy > 0 or dx > 0) and dy * dy + dx * dx < RADIUS * RADIUS]


def edges(boundary):
    """Pairs (i, j) and their affinities, from NumPy's boundary [h, w]."""
    import numpy as np

    height, width = boundary.shape
    cells = np.arange(height * width).reshape(height, width)
    first, second, affinity = [], [], []
    for dy, dx in half_disc():
        left, right = max(0, -dx), width - max(0, dx)
        highest = None
        for y in range(dy + 1):
            for x in range(min(0, dx), max(0, dx) + 1):
                if (dy * x - dx * y) ** 2 < dy * dy + dx * dx:
                    part = boundary[y:y + height - dy, left + x:right + x]
                    highest = part if highest is None else np.maximum(highest, part)
        first.append(cells[:height - dy, left:right].ravel())
        second.append(cells[dy:, left + dx:right + dx].ravel())
        affinity.append(1 - highest.ravel())
    return np.concatenate(first), np.concatenate(second), np.concatenate(affinity)


def dense_walk(torch, boundary, maps):
    first, second, affinity = edges(boundary.numpy())
    count = boundary.numel()
    matrix = torch.eye(count)
    values = torch.from_numpy(affinity)
    matrix[torch.from_numpy(first), torch.from_numpy(second)] = values
    matrix[torch.from_numpy(second), torch.from_numpy(first)] = values
    matrix = matrix ** BETA
    matrix = matrix / matrix.sum(0, keepdim=True)
    for _ in range(SQUARINGS):
        matrix = matrix @ matrix
    return (maps * (1 - boundary)).flatten(1) @ matrix


def sparse_walk(torch, boundary, maps):
    import numpy as np
    import scipy.sparse

    first, second, affinity = edges(boundary.numpy())
    count = boundary.numel()
    powers = (affinity ** BETA).astype(np.float32)
    own = np.arange(count)
    matrix = scipy.sparse.csr_matrix(
        (np.concatenate([powers, powers, np.ones(count, np.float32)]),
         (np.concatenate([first, second, own]), np.concatenate([second, first, own]))), shape=(count, count))
    sums = np.asarray(matrix.sum(0)).ravel()
    transposed = scipy.sparse.diags((1 / sums).astype(np.float32)) @ matrix.T.tocsr()
    values = np.ascontiguousarray((maps * (1 - boundary)).flatten(1).numpy().T)
    for _ in range(2 ** SQUARINGS):
        values = transposed @ values
    return torch.from_numpy(np.ascontiguousarray(values.T))


def neighbours(torch, planes):
    """[N, P, 48, H, W] by one-hot convolutions on planes with repeated borders."""
    one_hot = torch.zeros(8, 1, 3, 3)
    for i, place in enumerate([0, 1, 2, 3, 5, 6, 7, 8]):
        one_hot[i, 0, place // 3, place % 3] = 1
    count, number, height, width = planes.shape
    copies = []
    for dilation in DILATIONS:
        padded = torch.nn.functional.pad(planes, [dilation] * 4, mode="replicate")
        copies.append(torch.nn.functional.conv2d(padded.view(count * number, 1, *padded.shape[2:]), one_hot,
                                                 dilation=dilation).view(count, number, 8, height, width))
    return torch.cat(copies, 2)


def par(torch, image, maps):
    around = neighbours(torch, image)
    deviation = around.std(2, keepdim=True)
    colour = -((around - image.unsqueeze(2)).abs() / (deviation + 1e-8) / 0.3) ** 2
    straight = torch.tensor([2 ** 0.5, 1, 2 ** 0.5, 1, 1, 2 ** 0.5, 1, 2 ** 0.5])
    distances = torch.cat([straight * dilation for dilation in DILATIONS]).view(1, 1, -1, 1, 1)
    distance = -(distances / (distances.std() + 1e-8) / 0.3) ** 2
    weights = colour.mean(1, keepdim=True).softmax(2) + 0.01 * distance.softmax(2)
    for _ in range(ITERATIONS):
        maps = (neighbours(torch, maps) * weights).sum(2)
    return maps


def peer(name, height, width, maps, threads):
    """The other side: answers each line on standard input with a pass."""
    import torch

    torch.set_num_threads(threads)
    if name == "dense":
        torch.set_flush_denormal(True)  # as ours: its products of subnormal numbers would take ten times as long
    if name == "sparse":
        import scipy.sparse  # noqa: F401  (loaded before memory is measured)
    if name == "convolution":
        image, planes = waves(torch, 1, 3, height, width), waves(torch, 1, maps, height, width)
    else:
        image, planes = waves(torch, height, width), waves(torch, maps, height, width)
    function = {"dense": dense_walk, "sparse": sparse_walk, "convolution": par}[name]
    reset_peak_memory()
    before = memory_mb("VmRSS")
    for _ in sys.stdin:
        start = time.perf_counter()
        with torch.no_grad():
            output = function(torch, image, planes)
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "growth_mb": memory_mb("VmHWM") - before,
                          "checksum": output.double().square().mean().item()}), flush=True)


def compare(build, python, case, threads, number):
    what, name, height, width, maps = case
    ours = Side([build / "bench/propagation_pass", what, height, width, maps, threads])
    theirs = Side([python, __file__, "--peer", name, height, width, maps, threads])
    require_close(f"{what} beside {name}", ours.ask(), theirs.ask())
    pairs = asked_in_turn(ours, theirs, number)
    row(what, name, f"{height} x {width}", maps, f"{pairs.median(0):.4f}", f"{pairs.median(1):.4f}",
        f"{pairs.ratio():.1f}", *(f"{pairs.median(side, 'growth_mb'):.1f}" for side in (0, 1)))


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--peers", nargs="+", choices=["dense", "sparse", "convolution"],
                        default=["dense", "sparse", "convolution"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = python_with(PACKAGES, arguments.python, folder)
        table("what", "beside", "size", "maps", "ours s", "peer s", "ratio", "growth ours MB", "peer MB")
        for case in CASES:
            if case[1] in arguments.peers:
                compare(arguments.build, python, case, arguments.threads, arguments.pairs)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(sys.argv[2], *(int(word) for word in sys.argv[3:7]))
    else:
        main()
