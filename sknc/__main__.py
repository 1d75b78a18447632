"""``python -m sknc``: the command line."""

import sys

from sknc.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
