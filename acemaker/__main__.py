"""`python -m acemaker` is the command `acemaker`."""

import sys

from acemaker.cli import main

sys.exit(main())
