"""Flows: states, keys, prompts and secrets, as definitions. Pure; no Trio, no clock, no logging."""
