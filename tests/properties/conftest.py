"""Hypothesis for all properties: the same examples in every run, unless METERGATE_EXAMPLES asks for more, at random."""

import os

from hypothesis import HealthCheck, settings

_EXAMPLES = os.environ.get("METERGATE_EXAMPLES")

settings.register_profile(
    "metergate",
    max_examples=int(_EXAMPLES or 200),
    derandomize=not _EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("metergate")
