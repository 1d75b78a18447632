"""
The command ``sknc``.

- `command`: the parser, exit codes, and one-line errors.
- `_report`, `_merge`, `_compare`, `_metrics`, `demo`: one for each command.
- `_heads`, `_head_files`: heads in files; `_features`: input, with its progress bar;
  `_states`: state files; `_output`: results.
- `_checkpoint`: resumes a report that was killed.
"""

from sknc.cli.command import main

__all__ = ["main"]
