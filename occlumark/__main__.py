"""`python -m occlumark` is the command line."""

import sys

from occlumark.cli.main import main

sys.exit(main())
