"""Intervals: nlme's, Wald, profile, resampling, Satterthwaite."""
