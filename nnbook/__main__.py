"""``python -m nnbook`` is the program ``nnbook``."""

import sys

from nnbook.cli import main

if __name__ == "__main__":
    sys.exit(main())
