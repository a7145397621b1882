"""``./run``, ``./test`` and their set-up, in a copy of the shell files, with a Python that only pretends to install.

The pretended Python notes what it was asked to do. Environments that it makes hold nothing but itself; what it is asked
to run there, it prints. All else is real: the shell, the lock, the stamps, the signals.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import IO, Any

import pytest
from packaging.requirements import Requirement

from tests.e2e.processes import Process

FILES = ("run", "test", "pyproject.toml", "requirements/venv.sh", "requirements/run.txt", "requirements/test.txt")

PRETENDED = """#!/bin/sh
case "$*" in
    -V) echo "Python 3.13.0" ;;
    "-m venv "*) echo "venv" >>"$NOTES"; mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
    *"-m pip"*--require-hashes*) echo "fetch$PYTHONPATH" >>"$NOTES"; eval "${WHILE_FETCHING:-}" ;;
    *"-m pip"*) echo "project" >>"$NOTES" ;;
    -c*) exec "$REAL_PYTHON" "$@" ;;
    *) echo "$PWD: $*"; eval "${WHILE_RUNNING:-}" ;;
esac
"""

NO_PYTHON = "#!/bin/sh\nexit 127\n"

OLD_PYTHON = "#!/bin/sh\ncase $1 in -V) echo Python 3.9.2 ;; *) exit 3 ;; esac\n"


BARE_PYTHON = "#!/bin/sh\ncase $1 in -V) echo Python 3.12.1 ;; *) exit 4 ;; esac\n"

WAITING = "Another start is setting up; waiting for it ...\n"


class Started(Process[str]):
    """A start of ``./run``, with what it prints on pipes."""

    stderr: IO[str]


class Checkout:
    """A copy of the project's shell files, and a way to run them."""

    def __init__(self, folder: Path, project: Path) -> None:
        self.folder = folder / "a checkout"
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        self._notes = folder / "notes"
        self._programs = folder / "programs"
        self._programs.mkdir()
        for name in FILES:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(project / name, self.folder / name)
        for name in ("python3.13", "python3.12", "python3.11", "python3", "python"):
            self.provide(name, PRETENDED if name == "python3.13" else NO_PYTHON)

    def provide(self, name: str, program: str) -> Path:
        """Put a program on the path, before those of the system."""
        path = self._programs / name
        path.write_text(program)
        path.chmod(0o755)
        return path

    def without(self, *programs: str) -> str:
        """Give a search path on which these are not found, wherever the system has them."""
        rest = self.folder.parent / "rest"
        rest.mkdir()
        found = {path.name: path for folder in reversed(os.get_exec_path()) for path in Path(folder).glob("*")}
        for name in found.keys() - {*programs, "apt-get"}:
            (rest / name).symlink_to(found[name])
        return f"{self._programs}:{rest}"

    def start(self, *words: str, script: str = "run", **environment: str) -> Started:
        """Start a script from another folder, in a process group of its own.

        Args:
            words: What follows the script's name.
            script: ``run`` or ``test``.
            environment: Variables. ``WHILE_FETCHING`` and ``WHILE_RUNNING`` are shell code that the pretended Python
                runs when pip would fetch, and when anything else is run in the environment that it made.
        """
        return Started(
            [self.folder / script, *words],
            cwd=self.elsewhere,
            env={
                "PATH": f"{self._programs}:{os.environ['PATH']}",
                "NOTES": str(self._notes),
                "REAL_PYTHON": sys.executable,
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start_and_hold(self) -> tuple[Started, IO[str]]:
        """Start ``./run`` and return when it is fetching; it goes on when the file is closed."""
        gate = self.folder / "gate"
        os.mkfifo(gate)
        started = self.start(WHILE_FETCHING="cat gate")
        return started, gate.open("w")  # opens when the other end does

    def end(self, started: Started) -> tuple[int, str, str]:
        """Wait for the end of a start; give the exit code and what it printed on both channels."""
        with started:
            printed, complained = started.communicate()
        return started.returncode, printed, complained

    def run(self, *words: str, script: str = "run", **environment: str) -> tuple[int, str, str]:
        """Run a script to its end; give the exit code and what it printed on both channels."""
        return self.end(self.start(*words, script=script, **environment))

    @property
    def installed(self) -> list[str]:
        """What the pretended Python did, in order: ``venv``, ``fetch``, ``project``."""
        return self._notes.read_text().split() if self._notes.exists() else []


def pins(project: Path, level: str) -> dict[str, str]:
    """Read which version of each package a lock pins, whatever the system."""
    lock = (project / "requirements" / f"{level}.txt").read_text()
    return dict(re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE))


def wanted(asked: dict[str, Any], level: str) -> list[str]:
    """Give the requirements of the project file that a lock has to answer."""
    core = asked["project"]["dependencies"] + asked["dependency-groups"]["build"]
    tests = asked["project"]["optional-dependencies"]["testing"] + asked["dependency-groups"]["dev"]
    return core if level == "run" else [*core, *(line for line in tests if isinstance(line, str))]


@pytest.fixture
def checkout(tmp_path: Path, project: Path) -> Checkout:
    return Checkout(tmp_path, project)


@pytest.mark.parametrize(
    ("words", "run"),
    [
        ([], "-P -m callflow.cli.example"),
        (["--once"], "-P -m callflow.cli.example --once"),
        (["call", "balance"], "-P -m callflow call balance"),
        (["call", "--help"], "-P -m callflow call --help"),
        (["--version"], "-P -m callflow --version"),
    ],
)
def test_words_go_to_the_command_and_options_alone_to_the_example(
    checkout: Checkout, words: list[str], run: str
) -> None:
    assert checkout.run(*words)[:2] == (0, f"{checkout.elsewhere}: {run}\n")


def test_the_first_start_says_in_one_line_that_it_sets_up(checkout: Checkout) -> None:
    complained = checkout.run()[2]

    assert re.fullmatch(r"Setting up \(once\): Python 3\.13\.0 \.\.\. done in \d+ s\n", complained)


def test_the_second_start_is_silent_and_installs_nothing(checkout: Checkout) -> None:
    checkout.run()
    complained = checkout.run()[2]

    assert (complained, checkout.installed) == ("", ["venv", "fetch", "project"])


def test_what_the_user_tells_python_to_see_does_not_count_as_installed(checkout: Checkout) -> None:
    checkout.run(PYTHONPATH="/elsewhere")

    assert checkout.installed == ["venv", "fetch", "project"]


def test_another_project_file_installs_into_the_same_environment(checkout: Checkout) -> None:
    checkout.run()
    with (checkout.folder / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    checkout.run()

    assert checkout.installed == ["venv", "fetch", "project", "fetch", "project"]


def test_a_checkout_that_was_moved_makes_its_environment_anew(checkout: Checkout) -> None:
    checkout.run()
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("moved"))
    checkout.run()

    assert checkout.installed == ["venv", "fetch", "project"] * 2


def test_a_set_up_that_was_killed_is_begun_again(checkout: Checkout) -> None:
    checkout.run(WHILE_FETCHING="kill -KILL 0")
    again = checkout.run()

    assert (again[0], checkout.installed) == (0, ["venv", "fetch", "venv", "fetch", "project"])


def test_an_update_that_was_killed_is_not_taken_for_the_version_before_it(checkout: Checkout) -> None:
    project_file = checkout.folder / "pyproject.toml"
    before = project_file.read_text()
    checkout.run()
    project_file.write_text(before + "# changed\n")
    checkout.run(WHILE_FETCHING="kill -KILL 0")
    project_file.write_text(before)
    checkout.run()

    assert checkout.installed == ["venv", "fetch", "project", "fetch", "venv", "fetch", "project"]


def test_two_first_starts_at_once_set_up_once(checkout: Checkout) -> None:
    first, gate = checkout.start_and_hold()
    second = checkout.start()
    waiting = second.stderr.readline()
    gate.close()

    assert (waiting, checkout.end(first)[0], checkout.end(second), checkout.installed) == (
        WAITING,
        0,
        (0, f"{checkout.elsewhere}: -P -m callflow.cli.example\n", ""),
        ["venv", "fetch", "project"],
    )


def test_a_set_up_that_lost_its_shell_is_waited_for_and_begun_again(checkout: Checkout) -> None:
    first, gate = checkout.start_and_hold()
    first.kill()
    second = checkout.start()
    waiting = second.stderr.readline()
    gate.close()
    codes = checkout.end(first)[0], checkout.end(second)[0]

    assert (waiting, codes, checkout.installed) == (
        WAITING,
        (-signal.SIGKILL, 0),
        ["venv", "fetch", "venv", "fetch", "project"],
    )


def test_without_the_network_pips_words_and_the_cure_are_shown(checkout: Checkout) -> None:
    code, _, complained = checkout.run(WHILE_FETCHING="echo no route; exit 1")

    assert (code, complained) == (
        1,
        "Setting up (once): Python 3.13.0 ... failed\nno route\n\n"
        "Not set up; .venv/setup.log tells all. Is the network there, or the index that pip is set to?\n"
        "callflow's packages are fetched at the first start. Once they are there, no start needs the network.\n",
    )


def test_a_set_up_without_the_network_goes_on_where_it_stopped(checkout: Checkout) -> None:
    checkout.run(WHILE_FETCHING="exit 1")
    code = checkout.run()[0]

    assert (code, checkout.installed) == (0, ["venv", "fetch", "fetch", "project"])


def test_a_set_up_that_failed_half_way_is_begun_again(checkout: Checkout) -> None:
    checkout.run(WHILE_FETCHING="echo Installing collected packages; exit 1")
    code = checkout.run()[0]

    assert (code, checkout.installed) == (0, ["venv", "fetch", "venv", "fetch", "project"])


def test_where_there_is_no_python_it_says_which_is_needed(checkout: Checkout) -> None:
    checkout.provide("python3.13", NO_PYTHON)
    code, _, complained = checkout.run()

    assert (code, complained.splitlines()[0]) == (1, "callflow needs Python 3.11 or newer.")


def test_a_python_that_is_too_old_is_named(checkout: Checkout) -> None:
    checkout.provide("python3.13", NO_PYTHON)
    python = checkout.provide("python3", OLD_PYTHON)
    complained = checkout.run()[2]

    assert complained.splitlines()[0] == f"callflow needs Python 3.11 or newer; {python} is Python 3.9.2."


def test_a_python_that_cannot_make_environments_is_named(checkout: Checkout) -> None:
    python = checkout.provide("python3.13", BARE_PYTHON)
    complained = checkout.run()[2]

    assert complained.startswith(f"Python 3.12.1 ({python}) cannot make environments")


def test_after_the_tests_callflow_itself_has_nothing_to_set_up(checkout: Checkout) -> None:
    checkout.run(script="test")
    checkout.run()

    assert checkout.installed == ["venv", "fetch", "project"]


@pytest.mark.parametrize(
    ("words", "ci", "run"),
    [
        (["-k", "chunks"], "", ["-m pytest --hypothesis-profile=dev -k chunks"]),
        (["-x", "--seed", "7"], "", ["-m pytest --hypothesis-profile=dev --hypothesis-seed=7 -x"]),
        (["--long", "-x"], "", ["-m pytest --hypothesis-profile=long -m  --timeout=3600 -x"]),
        (
            [],
            "true",
            [
                "-m ruff check --quiet .",
                "-m mypy",
                "-m pytest --hypothesis-profile=ci -n 2 --dist loadgroup --cov --cov-report=term",
            ],
        ),
    ],
)
def test_the_checks_are_run_in_the_projects_folder(
    checkout: Checkout, words: list[str], ci: str, run: list[str]
) -> None:
    printed = checkout.run(*words, script="test", CI=ci)[1]

    assert [line for line in printed.splitlines() if ": -m" in line] == [f"{checkout.folder}: {what}" for what in run]


SYSTEM = ("systemd-analyze", "nginx", "caddy", "openssl")


def test_with_ci_the_system_packages_that_are_missing_are_installed(checkout: Checkout) -> None:
    checkout.provide("apt-get", '#!/bin/sh\necho "apt-get $*"\n')
    printed = checkout.run(script="test", CI="true", PATH=checkout.without(*SYSTEM))[1]

    assert [line for line in printed.splitlines() if line.startswith("apt-get")] == [
        "apt-get update -q",
        "apt-get install -qy --no-install-recommends systemd nginx-light caddy openssl",
    ]


def test_what_cannot_be_installed_is_named_and_the_tests_are_run(checkout: Checkout) -> None:
    checkout.provide("apt-get", "#!/bin/sh\nexit 100\n")
    code, printed, complained = checkout.run(script="test", CI="true", PATH=checkout.without("nginx", "caddy"))

    assert (code, "-m pytest" in printed, complained.splitlines()[-1]) == (
        0,
        True,
        "./test: not installed, and skipped are the tests that need one of them: nginx-light caddy",
    )


def test_a_path_given_to_the_tests_is_meant_from_where_the_user_is(checkout: Checkout) -> None:
    (checkout.elsewhere / "test_own.py").touch()
    printed = checkout.run("test_own.py::test_it", script="test")[1]

    assert printed.split()[-1] == f"{checkout.elsewhere}/test_own.py::test_it"


def test_a_check_that_fails_ends_the_run_with_its_code(checkout: Checkout) -> None:
    code, printed, _ = checkout.run(script="test", WHILE_RUNNING='case "$*" in *mypy*) exit 3 ;; esac')

    assert (code, "-m pytest" in printed) == (3, False)


def test_what_the_tests_install_holds_every_pin_of_what_callflow_needs(project: Path) -> None:
    assert pins(project, "run").items() <= pins(project, "test").items()


@pytest.mark.parametrize("level", ["run", "test"])
def test_the_pins_are_what_the_project_file_asks_for(project: Path, level: str) -> None:
    asked = tomllib.loads((project / "pyproject.toml").read_text())
    needed = [Requirement(line) for line in wanted(asked, level)]
    pinned = pins(project, level)

    assert [str(need) for need in needed if not need.specifier.contains(pinned.get(need.name, "none"))] == []
