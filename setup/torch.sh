# Sourced by ./dev: unpacks LibTorch from the wheels of setup/torch-requirements.txt into the user's cache.
#
# The folder is named by the wheel's hash and complete by construction (unpacked beside it, then renamed). Its stamp
# lists every file with size and time, so a later set-up notices damage without reading the files.

torch_recipe=1  # raised when the choice of unpacked files changes
torch_cuda=     # set by `./dev cuda`: unpacks LibTorch's CUDA libraries too, into a folder of their own
torch_requirements="$top/setup/torch-requirements.txt"

# Prints the cache folder of this LibTorch: .../torch-<version>-<first 12 digits of the wheel's hash>[-cuda].
torch_folder() {
  sed -nE -e 's/^torch==([0-9.]+).*/\1/p' -e 's/.*--hash=sha256:([0-9a-f]{12}).*/\1/p' "$torch_requirements" |
    head -n 2 | paste -sd- | sed "s|.*|$cache/torch-&${torch_cuda:+-cuda}|"
}

torch_listing() {
  echo "recipe $torch_recipe"
  (cd "$1" && find torch nvidia -type f -printf '%s %T@ %p\n' | LC_ALL=C sort -k3)
}

torch_intact() { [ -f "$1/stamp" ] && torch_listing "$1" 2>/dev/null | cmp -s - "$1/stamp"; }

# Downloads the pinned wheels: a wheel of another hash is refused by pip.
torch_download() {
  local python=python3
  python3 -m pip --version >/dev/null 2>&1 || python=/usr/bin/python3
  say "downloading LibTorch (543 MB, once)"
  "$python" -m pip --quiet --disable-pip-version-check download --require-hashes --no-deps --no-cache-dir \
    --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 --abi none \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_25_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
    --dest "$1" --requirement "$torch_requirements" >"$setup_log" 2>&1 || {
    tail -n 20 "$setup_log" >&2
    stop "LibTorch could not be downloaded with pip." \
      "see the lines above; or set SEEDBED_TORCH_ROOT to an unpacked LibTorch 2.11"
  }
}

# Unpacks headers and the few libraries that a program needs, laid out so that LibTorch's own RPATH finds them.
torch_unpack() {
  say "unpacking LibTorch into $2"
  python3 - "$1" "$2" ${torch_cuda:+torch/lib/libtorch_cuda.so torch/lib/libc10_cuda.so} <<'PYTHON'
import pathlib, sys, zipfile
LIBRARIES = {"torch/lib/libtorch_cpu.so", "torch/lib/libc10.so", "torch/lib/libgomp.so.1",
             "nvidia/cu13/lib/libcudart.so.13", "nvidia/cu13/lib/libcupti.so.13"}
FOLDERS = ("torch/include/", "torch/share/", "nvidia/cu13/include/")
wheels, target = map(pathlib.Path, sys.argv[1:3])
LIBRARIES.update(sys.argv[3:])
found = set()
for wheel in sorted(wheels.glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name in LIBRARIES or name.startswith(FOLDERS) or ".dist-info/licenses/" in name:
                archive.extract(name, target / ("" if ".dist-info/" not in name else "licenses"))
                found.add(name)
if missing := sorted(LIBRARIES - found):
    sys.exit("the wheels lack " + ", ".join(missing))
PYTHON
}

torch_build_folder() {
  local folder=$1 fresh
  fresh=$(mktemp -d "$cache/torch-unpacking.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$fresh'" EXIT
  torch_download "$fresh/wheels"
  torch_unpack "$fresh/wheels" "$fresh/root" || stop "LibTorch could not be unpacked." "is the disk full? it needs up to 1.6 GB"
  torch_listing "$fresh/root" >"$fresh/root/stamp"
  if [ -e "$folder" ]; then mv "$folder" "$fresh/damaged"; fi
  sync -f "$fresh/root/stamp"
  mv -T "$fresh/root" "$folder"
  rm -rf "$fresh"
  trap - EXIT
}

# Sets SEEDBED_TORCH_ROOT.
setup_torch() {
  if [ -n "${SEEDBED_TORCH_ROOT:-}" ]; then
    [ -f "$SEEDBED_TORCH_ROOT/lib/libtorch_cpu.so" ] ||
      stop "SEEDBED_TORCH_ROOT names no LibTorch: \`$SEEDBED_TORCH_ROOT\`" "it should hold include/ and lib/libtorch_cpu.so"
    SEEDBED_TORCH_ROOT=$(cd "$SEEDBED_TORCH_ROOT" && pwd)
    return 0
  fi
  local folder
  folder=$(torch_folder)
  mkdir -p "$cache"
  if ! torch_intact "$folder"; then
    exec 9>"$cache/setup.lock"
    flock -n 9 || { say "waiting for another set-up"; flock 9; }
    if ! torch_intact "$folder"; then
      if [ -e "$folder" ]; then say "the unpacked LibTorch is damaged: fetching it again"; fi
      torch_build_folder "$folder"
    fi
    exec 9>&-
  fi
  SEEDBED_TORCH_ROOT="$folder/torch"
}
