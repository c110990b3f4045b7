# Sourced by ./dev: sees to the system packages of setup/debian-packages.txt.

# Prints the "package probe" lines of the list, comments left out.
package_list() { grep -v -e '^#' -e '^$' "$top/setup/debian-packages.txt"; }

# Prints the packages that dpkg does not report as installed.
missing_debian_packages() {
  local wanted installed
  wanted=$(package_list | cut -d' ' -f1 | sort)
  # shellcheck disable=SC2086
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
    awk '$2 == "installed" { print $1 }' | sort -u)
  comm -23 <(echo "$wanted") <(echo "$installed")
}

# Prints the packages whose probe fails: for systems without dpkg.
missing_probed_packages() {
  local package probe
  while read -r package probe; do
    case $probe in
      command:*) command -v "${probe#command:}" >/dev/null || echo "$package" ;;
      header:*) probe_header "${probe#header:}" || echo "$package" ;;
    esac
  done < <(package_list)
}

probe_header() {
  tr , '\n' <<<"$1" | sed 's/.*/#include <&>/' |
    "${CXX:-c++}" -std=c++20 -fsyntax-only -w -I/usr/include/opencv4 -I/usr/local/include/opencv4 -x c++ - 2>/dev/null
}

install_packages() {
  local missing=$1 as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || stop "Installing packages needs root, and there is no sudo." \
      "install, as root: $(echo $missing)"
    as_root=(sudo)
  fi
  say "installing packages: $(echo $missing)"
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0)
  # The lists of a fresh machine are empty or stale: fetch them only when the first attempt shows it.
  # shellcheck disable=SC2086
  "${as_root[@]}" "${apt[@]}" install -y --no-install-recommends $missing >"$setup_log" 2>&1 && return
  "${as_root[@]}" "${apt[@]}" update >>"$setup_log" 2>&1 || true
  # shellcheck disable=SC2086
  "${as_root[@]}" "${apt[@]}" install -y --no-install-recommends $missing >>"$setup_log" 2>&1 || {
    tail -n 20 "$setup_log" >&2
    stop "apt-get could not install the packages." "see the lines above; the packages: $(echo $missing)"
  }
}

setup_packages() {
  local missing
  if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    missing=$(missing_debian_packages)
    if [ -n "$missing" ]; then install_packages "$missing"; fi
    return 0
  fi
  # Probing by compiler takes seconds, so a system without apt remembers that all was there.
  local seen="$cache/packages-seen" list="$top/setup/debian-packages.txt"
  if [ -f "$seen" ] && [ "$seen" -nt "$list" ]; then return 0; fi
  missing=$(missing_probed_packages)
  [ -z "$missing" ] || stop "These are missing, and this system has no apt-get to install them with (Debian's names):" \
    $missing
  mkdir -p "$cache" && touch "$seen"
}
