"""All mutants, layer by layer."""

from __future__ import annotations

from tests.mutants import exotel, life, whole, wire

ALL = (*exotel.MUTANTS, *wire.MUTANTS, *life.MUTANTS, *whole.MUTANTS)
