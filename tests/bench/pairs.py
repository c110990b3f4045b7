"""What the scripts beside it share: two processes that are asked in turn, and figures over the pairs of their answers."""
import argparse
import json
import pathlib
import statistics
import subprocess
import venv


class Side:
    """A process that answers each line on its standard input with a line of JSON."""

    def __init__(self, words, env=None):
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=env)

    def ask(self, *words):
        print(*(words or ["pass"]), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("one side ended: its message stands above")
        return json.loads(answer)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Pairs:
    """Answers of both sides, ours first."""

    def __init__(self, rows):
        self.rows = list(rows)

    def median(self, side, key="seconds"):
        return statistics.median(row[side][key] for row in self.rows)

    def ratio(self, key="seconds"):
        """Median over the pairs of their figure over ours: above 1, ours is faster."""
        return statistics.median(row[1][key] / row[0][key] for row in self.rows)


def asked_in_turn(ours, theirs, count):
    pairs = Pairs((ours.ask(), theirs.ask()) for _ in range(count))
    ours.end(), theirs.end()
    return pairs


def require_close(what, ours, theirs):
    """Before anything is timed: both sides have to have computed the same."""
    if abs(ours["checksum"] - theirs["checksum"]) > 1e-3 * abs(theirs["checksum"]):
        raise SystemExit(f"{what}: the outputs differ: {ours['checksum']} and {theirs['checksum']}")


def parser_of(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path, help="the build folder")
    parser.add_argument("--python", help="a Python that has the packages; without it one is made from PyPI")
    return parser


def python_with(packages, given, folder):
    """`given`, or the Python of a new environment in `folder` that has the packages."""
    if given:
        return given
    venv.create(pathlib.Path(folder) / "venv", with_pip=True)
    python = pathlib.Path(folder) / "venv/bin/python"
    subprocess.check_call([python, "-m", "pip", "install", "--quiet", *packages])
    return python


def table(*columns):
    print("| " + " | ".join(columns) + " |\n" + "| --- " * len(columns) + "|", flush=True)


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def memory_mb(field):
    """A field of /proc/self/status, as VmRSS."""
    for line in open("/proc/self/status"):
        if line.startswith(field):
            return int(line.split()[1]) / 1024


def reset_peak_memory():
    pathlib.Path("/proc/self/clear_refs").write_text("5")
