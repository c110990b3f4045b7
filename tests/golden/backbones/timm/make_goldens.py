"""Writes the goldens of this folder: timm's networks whose layouts the shared goldens leave out. The form is that of the
shared folder `goldens/backbones`, and so are the formula weights (`goldens/formula.py`).

    python -m venv venv && venv/bin/pip install torch==2.11.0 timm==1.0.31 safetensors numpy
    SEEDBED_SHARED=... venv/bin/python make_goldens.py

Outputs are thinned to about two thousand elements by a stride that shares no factor with their sizes.
"""
import copy
import math
import os
import pathlib
import sys

import numpy
import torch
from safetensors.numpy import save_file

sys.path.insert(0, str(pathlib.Path(os.environ["SEEDBED_SHARED"]) / "goldens"))
import formula  # noqa: E402
import timm  # noqa: E402

FOLDER = pathlib.Path(__file__).parent
ELEMENTS = 2000

# name: (timm's network, height, width)
GOLDENS = {
    "deit-tiny": ("deit_tiny_patch16_224", 112, 176),
    "deit-small-distilled": ("deit_small_distilled_patch16_224", 112, 176),
    "vit-small": ("vit_small_patch16_224", 96, 128),
    "dinov2-small": ("vit_small_patch14_dinov2", 98, 126),
    "dinov2-small-reg4": ("vit_small_patch14_reg4_dinov2", 98, 126),
}


def outputs_of(model, images):
    """Tokens with positions, two blocks, normed tokens, and logits where there is a classifier."""
    found = {}

    def keep(name):
        return lambda module, inputs, output: found.__setitem__(name, output)

    hooks = [model.blocks[0].register_forward_pre_hook(lambda module, inputs: found.__setitem__("embed", inputs[0]))]
    for i in (0, len(model.blocks) - 1):
        hooks.append(model.blocks[i].register_forward_hook(keep(f"block{i}")))
    hooks.append(model.norm.register_forward_hook(keep("norm")))
    with torch.no_grad():
        logits = model(images)
    if logits.shape[1] == 1000:
        found["logits"] = logits
    for hook in hooks:
        hook.remove()
    return found


def stride_for(shape):
    count = math.prod(shape)
    stride = max(1, count // ELEMENTS)
    while any(math.gcd(stride, size) > 1 for size in shape if size > 1):
        stride += 1
    return stride


def write(name, network, height, width):
    model = timm.create_model(network, pretrained=False, dynamic_img_size=True).eval()
    formula.load_formula_weights(model)
    input_name = f"input:backbones/timm/{name}/x"
    images = torch.from_numpy(formula.uniform(input_name, (1, 3, height, width)))
    single = outputs_of(model, images)
    double = outputs_of(copy.deepcopy(model).double(), images.double())

    keys = [f"{key} {str(value.dtype).removeprefix('torch.')} {'x'.join(map(str, value.shape))}\n"
            for key, value in model.state_dict().items()]
    (FOLDER / "keys" / f"{name}.txt").write_text("".join(keys))

    stored, lines = {}, []
    for output, value in single.items():
        stride = stride_for(value.shape)
        stored[output] = (value if stride == 1 else value.flatten()[::stride]).contiguous().numpy()
        noise = float((value.double() - double[output]).abs().max())
        atol = max(1e-4 * float(value.abs().mean()), 10 * noise)
        lines.append(f'  {{ name = "{output}", shape = {list(value.shape)}, stride = {stride}, atol = {atol:.2g} }},\n')
    save_file(stored, str(FOLDER / f"{name}.safetensors"))
    return (f'\n[[golden]]\nname = "{name}"\nfile = "{name}.safetensors"\ngroup = "backbone"\nmodel = "{network}"\n'
            f'config = {{ position_table = "timm" }}\nsource = "timm {timm.__version__}, dynamic_img_size"\n'
            f'key_file = "keys/{name}.txt"\ngain = 1.0\nrtol = 0.0001\n'
            f'inputs = [\n  {{ name = "x", formula = "{input_name}", shape = [1, 3, {height}, {width}] }},\n]\n'
            f'outputs = [\n{"".join(lines)}]\n')


def main():
    torch.set_num_threads(1)
    (FOLDER / "keys").mkdir(exist_ok=True)
    entries = [write(name, *golden) for name, golden in GOLDENS.items()]
    head = f"# Written by make_goldens.py. torch {torch.__version__.split('+')[0]}, float32, CPU\n"
    (FOLDER / "index.toml").write_text(head + "".join(entries))


if __name__ == "__main__":
    main()
