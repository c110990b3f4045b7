"""What the scripts make_goldens.py of the folders beside it share: the files of one golden, in the form of the shared folder
`goldens/backbones`, and its formula weights (`goldens/formula.py`).

Outputs are thinned to about two thousand elements by a stride that shares no factor with their sizes. Their tolerance is
a ten-thousandth of the mean, or ten times what float32 differs from float64 by.
"""
import copy
import math
import os
import pathlib
import sys

import torch
from safetensors.numpy import save_file

sys.path.insert(0, str(pathlib.Path(os.environ["SEEDBED_SHARED"]) / "goldens"))
import formula  # noqa: E402

ELEMENTS = 2000


def stride_for(shape):
    count = math.prod(shape)
    stride = max(1, count // ELEMENTS)
    while any(math.gcd(stride, size) > 1 for size in shape if size > 1):
        stride += 1
    return stride


def write_golden(folder, name, network, run, size, gain, about):
    """Writes what `run(network, images)` puts out (a dictionary) for formula images of `size`, and the names of the
    network's tensors. Returns the golden's entry in index.toml; `about`: its group, model, config and source.
    """
    input_name = f"input:backbones/{folder.name}/{name}/x"
    images = torch.from_numpy(formula.uniform(input_name, (1, 3, *size)))
    single = run(network, images)
    double = run(copy.deepcopy(network).double(), images.double())

    keys = [f"{key} {str(value.dtype).removeprefix('torch.')} {'x'.join(map(str, value.shape)) or 'scalar'}\n"
            for key, value in network.state_dict().items()]
    (folder / "keys").mkdir(exist_ok=True)
    (folder / "keys" / f"{name}.txt").write_text("".join(keys))

    stored, lines = {}, []
    for output, value in single.items():
        stride = stride_for(value.shape)
        stored[output] = (value if stride == 1 else value.flatten()[::stride]).contiguous().numpy()
        noise = float((value.double() - double[output]).abs().max())
        atol = max(1e-4 * float(value.abs().mean()), 10 * noise)
        lines.append(f'  {{ name = "{output}", shape = {list(value.shape)}, stride = {stride}, atol = {atol:.2g} }},\n')
    save_file(stored, str(folder / f"{name}.safetensors"))
    group, model, config, source = (about[key] for key in ("group", "model", "config", "source"))
    return (f'\n[[golden]]\nname = "{name}"\nfile = "{name}.safetensors"\ngroup = "{group}"\nmodel = "{model}"\n'
            f'config = {{ {config} }}\nsource = "{source}"\nkey_file = "keys/{name}.txt"\ngain = {gain}\nrtol = 0.0001\n'
            f'inputs = [\n  {{ name = "x", formula = "{input_name}", shape = [1, 3, {size[0]}, {size[1]}] }},\n]\n'
            f'outputs = [\n{"".join(lines)}]\n')


def write_index(folder, entries):
    head = f"# Written by make_goldens.py. torch {torch.__version__.split('+')[0]}, float32, CPU\n"
    (folder / "index.toml").write_text(head + "".join(entries))
