"""The command line: one file a command, each a plain function; ``callflow.cli.app`` puts them together."""
