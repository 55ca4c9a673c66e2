"""For every test: the shared R of rbridge.testing."""

pytest_plugins = ["rbridge.testing"]
