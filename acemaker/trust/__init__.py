"""Whether a potential can be trusted: whether gamma sees its errors, and whether its physics is the oracle's."""

from acemaker.trust.comparison import physics
from acemaker.trust.gamma import GammaTrust
from acemaker.trust.judgement import Trust, kept, verdict
from acemaker.trust.judging import judge_gamma
from acemaker.trust.quantities import Physics, Quantity

__all__ = ["GammaTrust", "Physics", "Quantity", "Trust", "judge_gamma", "kept", "physics", "verdict"]
