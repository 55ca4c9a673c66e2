"""Who fits: R, by rpy2's rinterface."""
