"""The server: the door that strangers knock at, its HTTP side, and the calls behind it."""
