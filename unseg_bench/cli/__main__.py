"""`python -m unseg_bench.cli`: the same as `ubench`."""

import sys

from unseg_bench.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
