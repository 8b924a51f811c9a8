"""`python -m config.stack`: see `config.stack.run`."""

import sys

from config.stack.run import main

sys.exit(main(sys.argv[1:]))
