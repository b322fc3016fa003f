"""Configuration: one frozen pydantic model per section, with units in every description."""

from acemaker.config.campaign import CampaignConfig
from acemaker.config.convergence import ConvergenceConfig
from acemaker.config.embedding import EmbeddingConfig
from acemaker.config.engine import EngineConfig
from acemaker.config.labeling import LabelingConfig
from acemaker.config.oracle import OracleConfig
from acemaker.config.otf import OTFConfig
from acemaker.config.pacemaker import PacemakerConfig
from acemaker.config.potential import PotentialConfig
from acemaker.config.system import SystemConfig
from acemaker.config.walkers import WalkerConfig

__all__ = [
    "CampaignConfig",
    "ConvergenceConfig",
    "EmbeddingConfig",
    "EngineConfig",
    "LabelingConfig",
    "OTFConfig",
    "OracleConfig",
    "PacemakerConfig",
    "PotentialConfig",
    "SystemConfig",
    "WalkerConfig",
]
