"""Configuration: one frozen pydantic model per section, units in every description."""

from acemaker.config.campaign import CampaignConfig
from acemaker.config.convergence import ConvergenceConfig
from acemaker.config.embedding import EmbeddingConfig
from acemaker.config.engine import EngineConfig
from acemaker.config.labeling import LabellingConfig
from acemaker.config.oracle import OracleConfig
from acemaker.config.otf import OTFConfig
from acemaker.config.pacemaker import PacemakerConfig
from acemaker.config.potential import PotentialConfig
from acemaker.config.system import SystemConfig

__all__ = [
    "CampaignConfig",
    "ConvergenceConfig",
    "EmbeddingConfig",
    "EngineConfig",
    "LabellingConfig",
    "OTFConfig",
    "OracleConfig",
    "PacemakerConfig",
    "PotentialConfig",
    "SystemConfig",
]
