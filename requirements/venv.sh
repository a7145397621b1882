# Makes .venv beside ./run and ./test, which read this file; it needs `root`, the project's folder.
# POSIX sh. `set_up run` gives what callflow needs, `set_up test` adds what its tests need; `venv_python` is the result.
#
# What is in .venv is known by three files in it: `made` (which Python, and where: an environment cannot be moved),
# `run.stamp` and `test.stamp` (copies of pyproject.toml and the lock that were installed) and, while pip works, `busy`.
# shellcheck shell=sh disable=SC2154

venv=$root/.venv
venv_python=$venv/bin/python

# Exit codes: 0 will do, 3 too old, 4 cannot make environments. Must be readable by Python 2.
judge_python='
import sys
if sys.version_info < (3, 11):
    sys.exit(3)
try:
    import ensurepip, ssl, venv
except ImportError:
    sys.exit(4)
'

# Locks file 9. The kernel lets go of it when the last process that has it open ends, pip included, so that a killed
# set-up leaves no lock behind and is waited for while its pip still writes.
take_turn='
import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("Another start is setting up; waiting for it ...", file=sys.stderr)
    fcntl.flock(9, fcntl.LOCK_EX)
except OSError:
    pass  # a network folder without locks: there, start only one at a time
'

set_up() { # LEVEL
    ready "$1" || make_ready "$1" 9<"$root"
}

ready() { # LEVEL
    [ ! -e "$venv/busy" ] && made_here && stamp "$1" | cmp -s - "$venv/$1.stamp"
}

made_here() {
    [ -x "$venv_python" ] && identity | cmp -s - "$venv/made"
}

identity() {
    "$venv_python" -V 2>&1
    printf '%s\n' "$root"
}

stamp() { # LEVEL
    cat "$root/pyproject.toml" "$root/requirements/$1.txt"
}

make_ready() { # LEVEL
    find_python
    "$python" -c "$take_turn"
    if ready "$1"; then return; fi # another start did it meanwhile

    began=$(date +%s)
    printf 'Setting up (once): %s ... ' "$("$python" -V)" >&2
    if [ -e "$venv/busy" ] || ! made_here; then
        make_venv
    fi
    : >"$venv/busy"
    : >"$venv/setup.log"
    if ! install_all "$1"; then
        # pip fetches everything before it changes anything: without the network, .venv stays as good as it was.
        grep -q '^Installing' "$venv/setup.log" || rm -f "$venv/busy"
        give_up "$venv/setup.log" "Not set up; .venv/setup.log tells all. Is the network there, or the index that pip is set to?" \
            "callflow's packages are fetched at the first start. Once they are there, no start needs the network."
    fi
    stamp run >"$venv/run.stamp" # the test lock holds every pin of the run lock
    stamp "$1" >"$venv/$1.stamp"
    rm -f "$venv/busy"
    printf 'done in %s s\n' "$(($(date +%s) - began))" >&2
}

make_venv() {
    rm -rf "$venv"
    mkdir "$venv" 2>/dev/null || give_up /dev/null "callflow keeps its packages in .venv, but cannot write to $root"
    : >"$venv/busy"
    clean "$python" -m venv "$venv" >"$venv/setup.log" 2>&1 || give_up "$venv/setup.log" "$python could not make .venv"
    identity >"$venv/made"
}

install_all() { # LEVEL
    install --require-hashes -r "requirements/$1.txt" && install --no-index --no-build-isolation -e .
}

install() { # PIP'S WORDS
    (cd "$root" && clean "$venv_python" -P -m pip install --no-deps --no-input --disable-pip-version-check "$@") \
        >>"$venv/setup.log" 2>&1
}

# Runs a command as if the caller had not told Python and pip to look or to write elsewhere.
clean() { # COMMAND
    (unset PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT && exec "$@")
}

give_up() { # LOG LINE ...
    printf 'failed\n' >&2
    tail -n 4 "$1" >&2
    shift
    printf '\n' >&2
    printf '%s\n' "$@" >&2
    exit 1
}

find_python() {
    old='' bare=''
    for name in "${PYTHON:-python3.13}" python3.13 python3.12 python3.11 python3 python; do
        python=$(command -v "$name") || continue
        code=0
        "$python" -c "$judge_python" 2>/dev/null || code=$?
        case $code in
            0) return ;;
            3) old=$python ;;
            4) bare=${bare:-$python} ;;
        esac # any other code: a name that leads nowhere, such as pyenv's for a version that is not active
    done
    explain_python >&2
    exit 1
}

explain_python() {
    if [ -n "$bare" ]; then
        echo "$("$bare" -V) ($bare) cannot make environments: its modules venv, ensurepip and ssl are not all there."
    else
        echo "callflow needs Python 3.11 or newer${old:+; $old is $("$old" -V 2>&1)}."
    fi
    if [ -e /etc/debian_version ]; then
        echo "Install it:  sudo apt-get install python3 python3-venv"
    elif [ "$(uname)" = Darwin ]; then
        echo "Install it:  brew install python@3.13"
    else
        echo "Install Python 3.11, 3.12 or 3.13 with your system's package manager."
    fi
    echo "Or name one: PYTHON=/path/to/python3.13 ./run"
}
