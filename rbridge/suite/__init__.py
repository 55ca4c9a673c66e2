"""Many models under watch: suites, records, drift."""
