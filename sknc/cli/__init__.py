"""
The command ``sknc``.

- `command`: the parser, exit codes, and errors in one line.
- `_report`, `_merge`, `_compare`, `_metrics`, `demo`: one for each command.
- `_heads`, `_head_files`: heads in files; `_features`, `_states`: what is read;
  `_output`: how results are shown.
- `_checkpoint`: from where a killed report goes on.
"""

from sknc.cli.command import main

__all__ = ["main"]
