"""For every test: the shared R of rbridge.testing, and hypothesis without a clock."""

import os

from hypothesis import settings

pytest_plugins = ["rbridge.testing"]

# A loaded machine is no failure: no test asserts on time.
settings.register_profile("rbridge", deadline=None)
settings.register_profile("nightly", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "rbridge"))
