"""What the page on deploying gives away really starts: the systemd unit, the container file; its numbers are true."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Iterator, Mapping
from configparser import RawConfigParser
from pathlib import Path

import pytest
from attrs import Factory, define

from callflow.cli.serve import NO_PORT
from callflow.flow.flow import Flow
from callflow.server.serve import Server
from callflow.server.settings import Settings
from examples.echo import echo
from tests.e2e.processes import Process
from tests.e2e.serving import ROOT
from tests.e2e.test_wheel import pip

pytestmark = pytest.mark.timeout(180)  # seconds; a wheel and an environment take a few to make on a busy machine

PAGE = ROOT / "docs" / "how-to" / "deploy-with-no-dropped-call.md"
DEPLOY = PAGE.parent / "deploy"
UNIT = DEPLOY / "callflow@.service"
FLOW = "from callflow import Flow, Hangup\nclass Bye(Hangup[None]): ...\nshop = Flow('shop', start=Bye)\n"


def started(command: list[str], environment: Mapping[str, str], folder: Path) -> Process[str]:
    """Run a command until the block is left."""
    return Process[str](command, env=environment, cwd=folder, text=True, stdout=-1, stderr=-1)


# The unit.


def unit_in(folder: Path) -> Path:
    """Copy the unit, with what it names below *folder* in place of the machine's own folders."""
    bin_folder = folder / "opt" / "callflow" / "blue" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "callflow").write_text(f'#!/bin/sh\nexec {sys.executable} -m callflow "$@"\n')
    (bin_folder / "callflow").chmod(0o755)
    (bin_folder.parent / "flow.py").write_text(FLOW)
    (folder / "callflow.toml").write_text("port = 0\n")
    text = UNIT.read_text().replace("/opt/", f"{folder}/opt/").replace("/etc/", f"{folder}/")
    copy = folder / "callflow@blue.service"
    copy.write_text(text.replace("%i", "blue"))
    return copy


def section(unit: Path, name: str) -> dict[str, str]:
    read = RawConfigParser(strict=False, delimiters=("=",))
    read.optionxform = str  # type: ignore[assignment, method-assign]  # as its documentation says
    read.read_string(unit.read_text())
    return dict(read[name])


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not there; ./test --system installs it where apt-get does")
    done = subprocess.run([verify, "verify", unit_in(tmp_path)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_the_unit_starts_becomes_ready_and_stops_in_order(tmp_path: Path) -> None:
    service = section(unit_in(tmp_path), "Service")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
        with started(shlex.split(service["ExecStart"]), environment, Path("/")) as running:
            first = manager.recv(4_096).decode()
            hup = service["ExecReload"].replace("$MAINPID", str(running.pid))
            subprocess.run(shlex.split(hup), check=True)
            reloading, reloaded = manager.recv(4_096).decode(), manager.recv(4_096).decode()
            running.send_signal(signal.SIGTERM)
            code = running.wait(20)

    assert (service["Type"], first.split()[0]) == ("notify", "READY=1")
    assert (reloading.split()[0], reloaded, code) == ("RELOADING=1", "READY=1", 0)


def test_a_port_that_is_taken_is_tried_again_and_mistyped_words_are_not(tmp_path: Path) -> None:
    service = section(unit_in(tmp_path), "Service")
    hopeless = {int(code) for code in service["RestartPreventExitStatus"].split()}
    mistyped = subprocess.run(
        [sys.executable, "-m", "callflow", "serve", "--no-such-flag"], capture_output=True, cwd=ROOT, check=False
    )

    assert (service["Restart"], mistyped.returncode in hopeless, NO_PORT in hopeless) == ("on-failure", True, False)


# The container file.


@define
class Image:
    """What a container file says, as far as it can be done without an engine: its steps, below one folder."""

    folder: Path
    environment: dict[str, str] = Factory(dict)
    user: str = ""
    stop_signal: str = ""
    command: list[str] = Factory(list)
    steps: list[str] = Factory(list)

    def build(self, file: Path, context: Path) -> None:
        for line in re.sub(r"\\\n", " ", file.read_text()).splitlines():
            word, _, rest = line.partition(" ")
            match word:
                case "COPY" if not rest.startswith("--from"):
                    source, target = rest.split()
                    shutil.copytree(context / source, self.inside(target), dirs_exist_ok=True)
                case "RUN":
                    self.run(rest)
                case "ENV":
                    self.environment |= dict(pair.split("=") for pair in rest.split())
                case "USER":
                    self.user = rest
                case "STOPSIGNAL":
                    self.stop_signal = rest
                case "CMD":
                    self.command = json.loads(rest)

    def inside(self, path: str) -> str:
        """Give the place of something in the image."""
        return f"{self.folder}{path}"

    def run(self, script: str) -> None:
        script = re.sub(r"(?<=\s)/(?=\w)", f"{self.folder}/", script).replace("python ", f"{sys.executable} ", 1)
        offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        done = subprocess.run(
            ["/bin/sh", "-ec", script],
            env={"PATH": "/usr/bin:/bin"} | offline,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image of a flow, made by the steps of the container file, with packages of this environment."""
    context = tmp_path_factory.mktemp("context")
    (context / "wheels").mkdir()
    (context / "flow").mkdir()
    pip("wheel", "--no-build-isolation", "--wheel-dir", context / "wheels", ROOT)
    (context / "flow" / "ivr.py").write_text(FLOW)
    image = Image(tmp_path_factory.mktemp("image"))
    image.build(DEPLOY / "Containerfile", context)
    (packages,) = image.folder.glob("opt/callflow/lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return image


@pytest.fixture
def container(image: Image, tmp_path: Path) -> Iterator[Process[str]]:
    """The command of the image, as it runs in a container; its port is a free one."""
    command = [image.inside(word) if word.startswith("/") else word for word in image.command]
    environment = image.environment | {"CALLFLOW_PORT": "0", "CALLFLOW_CREDENTIALS": "exotel:s3cret"}
    with started(command, environment, tmp_path) as running:
        yield running


def first_line(running: Process[str]) -> dict[str, object]:
    assert running.stderr is not None
    line: dict[str, object] = json.loads(running.stderr.readline())
    return line


def test_what_the_container_runs_is_ready_and_is_told_to_stop_by_its_signal(
    image: Image, container: Process[str]
) -> None:
    told = first_line(container)
    with urllib.request.urlopen(f"http://127.0.0.1:{told['port']}/ready", timeout=20) as answer:
        ready = answer.status
    container.send_signal(signal.Signals[image.stop_signal])
    began = time.monotonic()
    code = container.wait(30)

    assert (told["event"], told["flow"], ready, code) == ("server started", "shop", 200, 0)
    assert time.monotonic() - began > 4.0  # it is not ready for a while, and takes calls


def test_the_container_is_one_process_of_nobody(image: Image) -> None:
    user, _, group = image.user.partition(":")

    assert (image.command[0], int(user) > 0, int(group) > 0) == ("/opt/callflow/bin/callflow", True, True)


# The numbers.


def stop_timeouts() -> list[int]:
    text = PAGE.read_text() + (DEPLOY / "Containerfile").read_text()
    return [int(found) for found in re.findall(r"(?:--stop-timeout|terminationGracePeriodSeconds:) (\d+)", text)]


def longest(flow: Flow[None], delay: float) -> float:
    return Server(flow, Settings(drain_delay=delay)).going_down.longest


def test_whoever_stops_the_container_has_the_patience_that_it_needs() -> None:
    delays = [float(found) for found in re.findall(r'DRAIN_DELAY(?:=|, value: ")(\d+)', PAGE.read_text())]

    assert len(stop_timeouts()) == 4
    assert min(stop_timeouts()) >= longest(echo, max(delays))


def test_the_page_says_how_long_a_stop_takes_with_the_defaults() -> None:
    assert f"{longest(echo, 0.0):g} seconds with the defaults" in PAGE.read_text()
