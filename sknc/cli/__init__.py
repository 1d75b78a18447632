"""The command ``sknc``."""

from sknc.cli.command import main

__all__ = ["main"]
