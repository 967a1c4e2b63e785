"""`python -m inspection_center COMMAND`: serve, and what an administrator does beside it."""

from __future__ import annotations

import sys

from inspection_center.command_line import main

if __name__ == "__main__":
    sys.exit(main())
