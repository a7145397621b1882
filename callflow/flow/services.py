"""Services: what ``Flow(provide=[…])`` gives to the handlers of all its calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from callflow.errors import ServiceMissing

T = TypeVar("T")


def find_service(services: tuple[Any, ...], service: Callable[..., T]) -> T:
    """Find the first object that is an instance of *service*, a class.

    Raises:
        ServiceMissing: There is none; the message names those that are there.
    """
    wanted: Any = service
    for provided in services:
        if isinstance(provided, wanted):
            found: T = provided
            return found
    have = ", ".join(type(provided).__name__ for provided in services) or "nothing"
    raise ServiceMissing(
        f"no {wanted.__name__} is provided (provided: {have}); make the flow with provide=[…, {wanted.__name__}(…)]"
    )
