"""FLOW on the command line: ``path/to/file.py[:name]`` or ``package.module[:name]``."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from callflow.errors import CallflowError
from callflow.flow.flow import Flow


class NoSuchFlow(CallflowError):
    """FLOW names nothing that could be served. The message says what, where and the cure."""


def load_flow(argument: str) -> Flow[Any]:
    """Import the module that FLOW names and find the flow in it.

    Raises:
        NoSuchFlow: There is no such file, module or name, or no name and several flows.
        CallflowError: The flow itself is wrong.
        Exception: Whatever else the module raises when it is imported.
    """
    where, _, name = argument.partition(":")
    return _only(_import(where), where, name)


def load_flows(arguments: Iterable[str]) -> list[Flow[Any]]:
    """Find several flows; a module that is named twice is imported once, so that its flows share what it has.

    Raises:
        NoSuchFlow: As ``load_flow``.
    """
    split = [argument.partition(":") for argument in arguments]
    modules = {where: _import(where) for where in dict.fromkeys(where for where, _, _ in split)}
    return [_only(modules[where], where, name) for where, _, name in split]


def module_and_flows(argument: str) -> tuple[ModuleType, list[Flow[Any]]]:
    """Import the module that FLOW names, and find the flow in it; all its flows if FLOW names none.

    Raises:
        NoSuchFlow: There is no such file, module or name, or no flow.
        CallflowError: A flow is wrong.
        Exception: Whatever else the module raises when it is imported.
    """
    where, _, name = argument.partition(":")
    module = _import(where)
    return module, list(_find(module, where, name).values())


def argument_of(flow: Flow[Any], folder: Path) -> str:
    """Write FLOW for a flow that is at hand, so that it is found from *folder*.

    Raises:
        NoSuchFlow: It has no name in the module that made it.
    """
    return f"{os.path.relpath(flow.made_at[0], folder)}:{name_of(flow)[1]}"


def name_of(flow: Flow[Any]) -> tuple[str, str]:
    """Find the module that made a flow, and the flow's name there.

    Raises:
        NoSuchFlow: It has none.
    """
    file = str(flow.made_at[0])
    modules = [(name, module) for name, module in list(sys.modules.items()) if getattr(module, "__file__", "") == file]
    named = [(where, name) for where, module in modules for name, value in vars(module).items() if value is flow]
    if not named:
        raise NoSuchFlow(f"{flow!r} has no name in {file}; give it one there, so that a file can say what is called")
    return named[0]


def load_flow_from(folder: Path, argument: str) -> Flow[Any]:
    """Find a flow as ``load_flow`` does, with files looked for from *folder*."""
    where, colon, name = argument.partition(":")
    return load_flow(f"{folder / where}{colon}{name}" if where.endswith(".py") else argument)


def import_from(folder: Path, where: str) -> ModuleType:
    """Import what stands before the colon of FLOW, with a file looked for from *folder*.

    Raises:
        NoSuchFlow: There is no such file or module.
        Exception: Whatever else the module raises when it is imported.
    """
    return _import(str(folder / where) if where.endswith(".py") else where)


def flow_in(module: ModuleType, argument: str) -> Flow[Any]:
    """Find the flow that FLOW names in a module that was imported for it.

    Raises:
        NoSuchFlow: There is no such name, or no name and several flows.
    """
    where, _, name = argument.partition(":")
    return _only(module, where, name)


def _import(where: str) -> ModuleType:
    return _from_file(Path(where)) if where.endswith(".py") else _from_name(where)


def _only(module: ModuleType, where: str, name: str) -> Flow[Any]:
    flows = _find(module, where, name)
    if len(flows) > 1:
        raise NoSuchFlow(f"{where} has several flows: {', '.join(flows)}; add one, as in {where}:{next(iter(flows))}")
    return next(iter(flows.values()))


def _find(module: ModuleType, where: str, name: str) -> dict[str, Flow[Any]]:
    """Find the flow of that name, or without a name all flows, each under the first name that it has."""
    flows = {key: value for key, value in vars(module).items() if isinstance(value, Flow)}
    if name and name not in flows:
        raise NoSuchFlow(f"{where} has no flow named {name}; {_near(name, flows)}")
    if not flows:
        raise NoSuchFlow(f"{where} has no flow; make one: answer = Flow(…)")
    first_names = {id(flow): key for key, flow in reversed(flows.items())}
    return {key: flow for key, flow in flows.items() if key == (name or first_names[id(flow)])}


def _near(name: str, flows: dict[str, Flow[Any]]) -> str:
    near = difflib.get_close_matches(name, flows, n=1)
    return f"did you mean {near[0]}?" if near else f"its flows are: {', '.join(flows) or 'none'}"


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise NoSuchFlow(
            f"{path}: there is no such file; FLOW is path/to/file.py or package.module, or either with :name"
        )
    path = path.resolve()
    root, parts = path.parent, [path.stem]
    while (root / "__init__.py").is_file():  # a file of a package is imported as part of it
        parts.insert(0, root.name)
        root = root.parent
    _look_in(root)
    if len(parts) > 1:
        return importlib.import_module(".".join(parts))
    return _import_alone(path)


def _import_alone(path: Path) -> ModuleType:
    """Import a lone file under its stem, also where a module of that name is installed."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _from_name(name: str) -> ModuleType:
    _look_in(Path.cwd())
    if "/" in name:
        raise NoSuchFlow(f"{name}: there is no such module; for a file write {name}.py")
    if not all(name.split(".")):
        raise NoSuchFlow(f"{name!r} is no name of a module; FLOW is path/to/file.py or package.module")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if not f"{name}.".startswith(f"{missing.name}."):
            raise  # found, but something that it imports is not there
        file = name.replace(".", "/")
        raise NoSuchFlow(f"{name}: there is no such module here; for a file write {file}.py") from missing


def _look_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
