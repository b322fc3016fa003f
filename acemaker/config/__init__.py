"""Configuration: one frozen pydantic model per section, with units in every description."""

from acemaker.config.campaign import CampaignConfig
from acemaker.config.committee import CommitteeConfig
from acemaker.config.convergence import ConvergenceConfig
from acemaker.config.embedding import EmbeddingConfig
from acemaker.config.engine import EngineConfig
from acemaker.config.groups import GroupConfig
from acemaker.config.labeling import LabelingConfig
from acemaker.config.oracle import OracleConfig
from acemaker.config.otf import OTFConfig
from acemaker.config.pacemaker import PacemakerConfig
from acemaker.config.potential import PotentialConfig
from acemaker.config.stages import StageConfig
from acemaker.config.system import SystemConfig
from acemaker.config.walkers import WalkerConfig

__all__ = [
    "CampaignConfig",
    "CommitteeConfig",
    "ConvergenceConfig",
    "EmbeddingConfig",
    "EngineConfig",
    "GroupConfig",
    "LabelingConfig",
    "OTFConfig",
    "OracleConfig",
    "PacemakerConfig",
    "PotentialConfig",
    "StageConfig",
    "SystemConfig",
    "WalkerConfig",
]
