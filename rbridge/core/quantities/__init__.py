"""Quantities of a model and the expressions that name them."""
