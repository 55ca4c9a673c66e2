"""The maximum of the (restricted) likelihood over the variance components, found here."""
