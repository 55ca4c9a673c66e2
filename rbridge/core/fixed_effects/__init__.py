"""Inference about β: covariances, degrees of freedom, hypotheses, predictions, effect sizes."""
