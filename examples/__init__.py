"""Flows to run, read and call; each with its tests."""
