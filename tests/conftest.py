"""Hypothesis in every test: an example that takes long on a busy machine is no failure."""

from hypothesis import HealthCheck, settings

settings.register_profile("endomask", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("endomask")
