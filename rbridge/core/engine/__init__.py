"""The likelihood's linear algebra and its derivatives, in one pass over the data."""
