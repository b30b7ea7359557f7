"""The command line: one module per command that parses, calls and writes. No logic lives here, and nothing heavy is imported before a
command needs it."""

from lumbargrade.cli.main import main

__all__ = ["main"]
