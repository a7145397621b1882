"""FLOW on the command line: files and modules, with a name and without, and what is said where there is none."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from callflow import FlowDefinitionError
from callflow.server.flow_argument import NoSuchFlow, load_flow, load_flows

HEAD = "from callflow import Flow, Hangup\nclass Bye(Hangup[None]): ...\n"
ONE = HEAD + "bank = Flow('one', start=Bye)\n"
TWO = HEAD + "bank = Flow('one', start=Bye)\nshop = Flow('two', start=Bye)\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's folder, where the command is run; what it imports is forgotten behind the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = {*sys.modules}
    yield tmp_path
    for name in sys.modules.keys() - known:
        del sys.modules[name]


def write(path: str, code: str = ONE) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(code)


# What is found.


@pytest.mark.parametrize("argument", ["ivr.py", "ivr.py:bank", "./ivr.py", "ivr", "ivr:bank"])
def test_a_file_and_a_module_are_found_with_and_without_a_name(argument: str) -> None:
    write("ivr.py")

    assert load_flow(argument).name == "one"


def test_a_file_is_found_wherever_it_is() -> None:
    write("far/away/ivr.py")

    assert load_flow(str(Path("far/away/ivr.py").absolute())).name == "one"


@pytest.mark.parametrize(("argument", "name"), [("ivr.py:bank", "one"), ("ivr.py:shop", "two"), ("ivr:shop", "two")])
def test_of_several_flows_the_named_one_is_taken(argument: str, name: str) -> None:
    write("ivr.py", TWO)

    assert load_flow(argument).name == name


def test_a_file_that_is_named_twice_is_imported_once() -> None:
    write("ivr.py", TWO)
    write("other.py", ONE)
    bank, shop, other = load_flows(["ivr.py:bank", "ivr.py:shop", "other.py"])

    assert ([bank.name, shop.name, other.name], bank.start is shop.start) == (["one", "two", "one"], True)


def test_one_flow_under_two_names_is_one() -> None:
    write("ivr.py", ONE + "default = bank\n")

    assert load_flow("ivr.py").name == "one"


def test_a_module_of_a_package_is_found_by_its_dotted_name() -> None:
    write("lines/__init__.py", "")
    write("lines/ivr.py")

    assert load_flow("lines.ivr:bank").name == "one"


def test_a_file_may_import_its_neighbours() -> None:
    write("greeting.py", "name = 'one'\n")
    write("far/ivr.py", HEAD + "import words\nbank = Flow(words.name, start=Bye)\n")
    write("far/words.py", "name = 'neighbour'\n")

    assert load_flow("far/ivr.py").name == "neighbour"


def test_a_file_of_a_package_may_import_relatively() -> None:
    write("outer/__init__.py", "")
    write("outer/lines/__init__.py", "")
    write("outer/names.py", "name = 'relative'\n")
    write("outer/lines/ivr.py", HEAD + "from ..names import name\nbank = Flow(name, start=Bye)\n")

    flow = load_flow("outer/lines/ivr.py")

    assert (flow.name, flow.start.__module__) == ("relative", "outer.lines.ivr")


def test_a_lone_file_is_meant_also_where_a_module_of_its_name_is_in_use() -> None:
    importlib.import_module("tabnanny")
    write("tabnanny.py")

    assert load_flow("tabnanny.py").start.__module__ == "tabnanny"


def test_a_lone_file_may_hold_data_classes() -> None:
    """Which look their module up by its name."""
    write(
        "ivr.py",
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        f"{HEAD}@dataclass\nclass Caller:\n    name: str = ''\nbank = Flow('one', start=Bye, data=Caller)\n",
    )

    assert load_flow("ivr.py").name == "one"


def test_annotations_of_a_lone_file_find_its_states() -> None:
    write(
        "ivr.py",
        "from __future__ import annotations\nfrom callflow import Flow, Hangup, Say\n"
        "class Hello(Say[None], prompt='a.wav'):\n    def then(self, call) -> Bye: return Bye()\n"
        "class Bye(Hangup[None]): ...\nbank = Flow('one', start=Hello)\n",
    )

    assert [state.__name__ for state in load_flow("ivr.py").graph.states] == ["Hello", "Bye"]


# What is not.

FILES = {"one.py": ONE, "two.py": TWO, "none.py": "answer = 42\n", "lines/__init__.py": "", "lines/ivr.py": ONE}

WRONG = {
    "a missing file": (
        "absent.py",
        "absent.py: there is no such file; FLOW is path/to/file.py or package.module, or either with :name",
    ),
    "a folder that ends like a file": (
        "folder.py",
        "folder.py: there is no such file; FLOW is path/to/file.py or package.module, or either with :name",
    ),
    "a missing module": ("absent", "absent: there is no such module here; for a file write absent.py"),
    "a path without its ending": ("./one", "./one: there is no such module; for a file write ./one.py"),
    "a module that a package lacks": (
        "lines.absent",
        "lines.absent: there is no such module here; for a file write lines/absent.py",
    ),
    "a package that is missing": (
        "absent.ivr",
        "absent.ivr: there is no such module here; for a file write absent/ivr.py",
    ),
    "nothing": ("", "'' is no name of a module; FLOW is path/to/file.py or package.module"),
    "a name alone": (":bank", "'' is no name of a module; FLOW is path/to/file.py or package.module"),
    "a relative module": (".one", "'.one' is no name of a module; FLOW is path/to/file.py or package.module"),
    "no flow": ("none.py", "none.py has no flow; make one: answer = Flow(…)"),
    "several flows": ("two.py", "two.py has several flows: bank, shop; add one, as in two.py:bank"),
    "a name that is nearly there": ("one.py:bnak", "one.py has no flow named bnak; did you mean bank?"),
    "a name like no other": ("two.py:xyz", "two.py has no flow named xyz; its flows are: bank, shop"),
    "a name of no flow": ("none.py:answer", "none.py has no flow named answer; its flows are: none"),
}


@pytest.mark.parametrize(("argument", "message"), WRONG.values(), ids=WRONG)
def test_what_is_not_there_is_told_with_the_cure(argument: str, message: str) -> None:
    Path("folder.py").mkdir()
    for path, code in FILES.items():
        write(path, code)

    with pytest.raises(NoSuchFlow) as refused:
        load_flow(argument)

    assert str(refused.value) == message


# What the module itself raises.


@pytest.mark.parametrize("argument", ["ivr.py", "ivr"])
def test_an_import_that_fails_inside_is_the_users_own(argument: str) -> None:
    write("ivr.py", "import nobody_wrote_this\n")

    with pytest.raises(ModuleNotFoundError, match="nobody_wrote_this") as raised:
        load_flow(argument)

    assert Path(raised.traceback[-1].path).name == "ivr.py"


def test_a_missing_import_that_is_named_like_the_module_is_not_taken_for_it() -> None:
    write("ivrs.py", "import ivr\n")

    with pytest.raises(ModuleNotFoundError, match="No module named 'ivr'"):
        load_flow("ivrs")


def test_a_wrong_flow_is_told_as_what_it_is() -> None:
    write("ivr.py", HEAD + "bank = Flow('two words', start=Bye)\n")

    with pytest.raises(FlowDefinitionError, match="has no such name; use letters"):
        load_flow("ivr.py")
