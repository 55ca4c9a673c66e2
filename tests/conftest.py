"""For every test: the shared R of rbridge.testing, hypothesis without a clock, a live Ctrl-C."""

import os
import signal

from hypothesis import settings

pytest_plugins = ["rbridge.testing"]

# A loaded machine is no failure: no test asserts on time.
settings.register_profile("rbridge", deadline=None)
settings.register_profile("nightly", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "rbridge"))

# A run in the background is born deaf to Ctrl-C, and so would be the programs it presses it in.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
