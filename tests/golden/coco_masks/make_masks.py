"""Writes masks.json: outlines and what COCO's mask API makes of them.

Needs pycocotools 2.0.8 and NumPy. Usage: python make_masks.py > masks.json
"""
import json
import math
import random

from pycocotools import mask as coco

HEIGHT_PX, WIDTH_PX = 23, 31


def outline(kind, rng):
    if kind == "inside":
        corners = [(rng.uniform(0, WIDTH_PX), rng.uniform(0, HEIGHT_PX)) for _ in range(rng.randint(3, 12))]
    elif kind == "beyond":
        corners = [(rng.uniform(-9, WIDTH_PX + 9), rng.uniform(-9, HEIGHT_PX + 9)) for _ in range(rng.randint(3, 9))]
    elif kind == "grid":  # on pixels' edges and middles, with repeated points and edges along the axes
        corners = [(rng.randint(0, 2 * WIDTH_PX) / 2, rng.randint(0, 2 * HEIGHT_PX) / 2) for _ in range(rng.randint(3, 8))]
        corners += [corners[-1], (corners[-1][0], corners[0][1])]
    elif kind == "star":  # encloses its middle twice
        corners = [(15 + 11 * math.cos(4 * math.pi * i / 5), 11 + 9 * math.sin(4 * math.pi * i / 5)) for i in range(5)]
    elif kind == "whole":
        corners = [(0, 0), (WIDTH_PX, 0), (WIDTH_PX, HEIGHT_PX), (0, HEIGHT_PX)]
    else:  # a sliver between two columns of pixels
        corners = [(4.6, 2.0), (4.7, 20.0), (4.8, 2.0)]
    return [round(value, 2) for corner in corners for value in corner]


def runs_of(rle):
    """Lengths of the runs, read off the mask itself."""
    pixels = coco.decode(rle).flatten(order="F")
    runs, inside = [0], 0
    for pixel in pixels:
        if pixel != inside:
            runs.append(0)
            inside = pixel
        runs[-1] += 1
    return runs


def main():
    rng = random.Random(0)
    cases = []
    for kind in ["inside"] * 12 + ["beyond"] * 12 + ["grid"] * 12 + ["star", "whole", "sliver"]:
        points = outline(kind, rng)
        rle = coco.frPyObjects([points], HEIGHT_PX, WIDTH_PX)[0]
        cases.append({"kind": kind, "outline": points, "runs": runs_of(rle), "text": rle["counts"].decode("ascii")})
    head = {"pycocotools": "2.0.8", "height_px": HEIGHT_PX, "width_px": WIDTH_PX}
    print(json.dumps(head)[:-1] + ', "cases": [')
    print(",\n".join(json.dumps(case) for case in cases) + "\n]}")


main()
