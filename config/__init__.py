"""Settings, composition root and the processes of the service."""

import gc
import signal
import sys

from config import left_out

# what a program loads stays: looking through it for garbage, again and again, takes a tenth of its start;
# a look at the second generation, 50 times rarer than one at the first, takes 30 ms by then
USUAL_THRESHOLDS = gc.get_threshold()
gc.set_threshold(20_000, 50, USUAL_THRESHOLDS[2])

if sys.argv[0] == "-m":
    # `python -m config.…` begins: until that program has a handler of its own, Ctrl-C ends it without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# before anything imports a library
left_out.leave_out()
