"""Writes unicode_tables.cpp: what the tokenizer must know of Unicode, and the named entities of HTML 4.

Run with any Python 3 whose Unicode version is wanted: python3 make_unicode_tables.py > unicode_tables.cpp
"""

import html.entities
import sys
import unicodedata

WIDTH = 118
POINTS = [c for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF]


def print_table(kind, name, entries):
    print(f"std::span<const {kind}> {name}() {{\n  static constexpr {kind} table[] = {{")
    line = "     "
    for entry in entries:
        if len(line) + len(entry) + 2 > WIDTH:
            print(line)
            line = "     "
        line += f" {entry},"
    print(line)
    print("  };\n  return table;\n}\n")


def ranges(category):
    found = []
    for point in POINTS:
        if not unicodedata.category(chr(point)).startswith(category):
            continue
        if found and found[-1][1] == point - 1:
            found[-1][1] = point
        else:
            found.append([point, point])
    return [f"{{{first:#x}, {last:#x}}}" for first, last in found]


def lower_case():
    """Runs of code points, one or two apart, that move by the same distance."""
    found = []
    for point in POINTS:
        lower = chr(point).lower()
        if len(lower) != 1 or lower == chr(point):
            continue
        delta = ord(lower) - point
        if found and found[-1][3] == delta:
            first, last, step, _ = found[-1]
            if point - last == step or (first == last and point - last <= 2):
                found[-1][1:3] = [point, point - last]
                continue
        found.append([point, point, 1, delta])
    return [f"{{{first:#x}, {last:#x}, {step}, {delta}}}" for first, last, step, delta in found]


def entities():
    names = dict(html.entities.name2codepoint, apos=0x27, AMP=0x26, LT=0x3C, GT=0x3E, QUOT=0x22, COPY=0xA9, REG=0xAE)
    return [f'{{"{name}", {point:#x}}}' for name, point in sorted(names.items())]


print(f"// Made by make_unicode_tables.py from Unicode {unicodedata.unidata_version}.\n// clang-format off")
print('#include "unicode_tables.hpp"\n\nnamespace seedbed::clip {\n')
for kind, name, entries in [
    ("CodePoints", "letters", ranges("L")),
    ("CodePoints", "numbers", ranges("N")),
    ("LowerCase", "lower_cases", lower_case()),
    ("Entity", "entity_names", entities()),
]:
    print_table(kind, name, entries)
print("}  // namespace seedbed::clip")
