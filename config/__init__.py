"""Settings, composition root and the processes of the service."""

import signal
import sys

from config import redis_alone

if sys.argv[0] == "-m":
    # `python -m config.…` begins: until that program has a handler of its own, Ctrl-C ends it without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# before anything imports redis
redis_alone.keep_out()
