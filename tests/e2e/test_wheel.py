"""The wheel holds everything: installed outside the tree, it runs a user's flow.

Works without the network. The environment is empty but for the wheel; callflow's dependencies are those of the
environment that runs the tests, made visible by a path file, in which the tree itself is not to be seen.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from attrs import frozen

from tests.e2e.processes import Process
from tests.e2e.serving import wait_for

pytestmark = pytest.mark.timeout(180)  # seconds; an environment takes a few to make on a busy machine

FLOW = """
from callflow import Flow, Hangup

class Goodbye(Hangup):
    '''Hangs up at once.'''

shop = Flow("shop", start=Goodbye)
"""

WHERE_AND_WHAT = """
import callflow
from flow import shop

print(callflow.__file__, shop.name)
"""


MISSING = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "NAME":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""
"""Has Python not find a package, from its start on."""


@frozen
class Installed:
    """An environment with the wheel in it."""

    python: Path
    packages: Path
    """Its ``site-packages``."""

    def run(self, *words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment in a folder that is not the project's."""
        return subprocess.run(
            words, cwd=folder, env={"PATH": str(self.python.parent)}, capture_output=True, text=True, check=False
        )


def pip(*words: str | Path) -> None:
    offline = ("--no-index", "--no-deps", "--no-input", "--quiet", "--disable-pip-version-check")
    subprocess.run([sys.executable, "-m", "pip", *words, *offline], check=True)


@pytest.fixture(scope="module")
def wheel(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, project)
    (built,) = folder.glob("callflow_trio-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("an empty environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip("--python", python, "install", wheel)
    (packages,) = folder.glob("lib/python*/site-packages")
    # Path files inside that folder are not read, so the tree that is installed there as editable stays out of sight.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return Installed(python, packages)


@pytest.fixture
def user_folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "where_and_what.py").write_text(WHERE_AND_WHAT)
    return tmp_path


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel: Path, project: Path) -> None:
    source = {
        path.relative_to(project).as_posix()
        for path in project.glob("callflow/**/*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert packed == source | {"pytest_callflow.py"}  # what pytest finds stands beside the package


def test_pytest_has_the_plugin_where_the_wheel_is_installed(installed: Installed, user_folder: Path) -> None:
    (user_folder / "bye.call").write_text("flow flow.py\nended by flow within 5s\n")

    done = installed.run(installed.python, "-m", "pytest", "-p", "no:cacheprovider", "-v", folder=user_folder)

    assert "bye.call::bye PASSED" in done.stdout


def test_a_run_of_pytest_without_calls_does_not_import_callflow(installed: Installed, user_folder: Path) -> None:
    (user_folder / "test_other.py").write_text(
        "import sys\ndef test_other():\n    assert not [name for name in sys.modules if name.startswith('callflow')]\n"
    )

    done = installed.run(installed.python, "-m", "pytest", "-p", "no:cacheprovider", folder=user_folder)

    assert " 1 passed" in done.stdout


@pytest.mark.parametrize("missing", ["hypothesis", "pytest_trio"])
def test_pytest_runs_where_what_the_plugin_works_with_is_not_there(
    installed: Installed, user_folder: Path, missing: str
) -> None:
    (user_folder / "sitecustomize.py").write_text(MISSING.replace("NAME", missing))
    (user_folder / "bye.call").write_text("flow flow.py\nended by flow within 5s\n")
    (user_folder / "test_bye.py").write_text(
        "from callflow.testing import caller\ndef test_that_needs_nothing(): assert caller\n"
        "async def test_that_needs_trio(): ...\n"
    )
    plugins = ("no:hypothesispytest", "no:_hypothesis_pytestplugin") if missing == "hypothesis" else ("no:trio",)
    words = [word for plugin in (*plugins, "no:cacheprovider", "no:xdist", "no:cov") for word in ("-p", plugin)]
    command = [installed.python, "-m", "pytest", *words, "--strict-markers", "-v", "-k", "not needs_trio"]

    done = subprocess.run(
        command, cwd=user_folder, env={"PYTHONPATH": str(user_folder)}, capture_output=True, text=True, check=False
    )

    assert "bye.call::bye PASSED" in done.stdout
    assert "test_that_needs_nothing PASSED" in done.stdout


def test_a_users_flow_runs_from_the_wheel(installed: Installed, user_folder: Path) -> None:
    done = installed.run(installed.python, "where_and_what.py", folder=user_folder)

    assert (done.stdout, done.stderr) == (f"{installed.packages / 'callflow' / '__init__.py'} shop\n", "")


def test_a_users_flow_is_served_and_called_from_the_wheel(installed: Installed, user_folder: Path) -> None:
    command = installed.python.with_name("callflow")
    (user_folder / "bye.call").write_text("ended by flow within 5s\n")
    serve = [str(command), "serve", "flow.py", "--port", "0"]
    with Process[str](serve, cwd=user_folder, env={"PATH": ""}, stdout=-1, text=True) as server:
        url = wait_for("--url", server).split()[-1]
        called = installed.run(command, "call", "bye", "--url", url, folder=user_folder)
        server.terminate()
        server.wait(20)

    assert (called.returncode, called.stderr, server.returncode) == (0, "", 0)


def test_the_command_is_on_the_path_of_the_environment(installed: Installed, user_folder: Path) -> None:
    done = installed.run(installed.python.with_name("callflow"), "--help", folder=user_folder)

    assert (done.returncode, done.stderr) == (0, "")
