"""Writes the goldens of this folder: timm's networks whose layouts the shared goldens leave out.

    python -m venv venv && venv/bin/pip install torch==2.11.0 timm==1.0.31 safetensors numpy
    SEEDBED_SHARED=... venv/bin/python make_goldens.py
"""
import pathlib
import sys

import torch

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))
from golden_files import formula, write_golden, write_index  # noqa: E402
import timm  # noqa: E402

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


def write(name, network, height, width):
    model = timm.create_model(network, pretrained=False, dynamic_img_size=True).eval()
    formula.load_formula_weights(model)
    about = {"group": "backbone", "model": network, "config": 'position_table = "timm"',
             "source": f"timm {timm.__version__}, dynamic_img_size"}
    return write_golden(FOLDER, name, model, outputs_of, (height, width), 1.0, about)


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_index(FOLDER, [write(name, *golden) for name, golden in GOLDENS.items()])
