"""Two announcements lead to each other, and nobody ever asks the caller."""

from __future__ import annotations

from callflow import Call, Flow, Say

C = Call[None]


class Busy(Say[None], prompt="busy.wav"):  # finds: endless-loop
    def then(self, call: C) -> Music:
        return Music()


class Music(Say[None], prompt="music.wav"):
    def then(self, call: C) -> Busy:
        return Busy()


shop = Flow("shop", start=Busy)
