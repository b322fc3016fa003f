"""How a heal's cost grows with a campaign: python benchmarks/heal_growth.py [LABELS HALTS].

108 copper atoms, 100 functions. Campaigns of 10, 100 and 1,000 labels at their first halt, and one that has healed 300;
then they take turns, a heal each, so that all of them see the same machine. Fails if a heal of the largest costs more
than twice that of the smallest, the solution of the least squares left out.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from common import copper
from heals import Heal, Stopwatch, heal
from outcome import Outcome

from acemaker import Campaign
from acemaker.potentials.evaluator import evaluator_of

FEWEST, LABELS, HALTS, TURNS, BOUND = 10, 1000, 300, 11, 2.0
PARTS = ("DIAGNOSE", "GENERATE", "SELECT", "LABEL", "TRAIN", "RESUME", "EXPLORE")


def main() -> None:
    """Print a row a campaign and the growth, and fail beyond the bound."""
    labels, halts = [int(word) for word in sys.argv[1:]] or (LABELS, HALTS)
    outcome = Outcome("How a heal's cost grows with the campaign", seeds=(1,))
    with tempfile.TemporaryDirectory() as folder:
        small = GrowingCampaign(Path(folder) / "small", FEWEST)
        between = [GrowingCampaign(Path(folder) / f"of_{number}", number) for number in (100,) if number < labels]
        large, long = (
            GrowingCampaign(Path(folder) / "large", labels),
            GrowingCampaign(Path(folder) / "long", FEWEST, halts),
        )
        campaigns = [small, *between, large, long]
        for _ in range(TURNS):
            for campaign in campaigns:
                campaign.turn()
        outcome.table(
            {"labels": "d", "halts": "d"} | dict.fromkeys(("heal / s", "of it solving / s", "without / s"), ".3f"),
            "108 copper atoms, 100 functions, a label a halt; medians",
        )
        for campaign in campaigns:
            times = (campaign.median(what) for what in ("seconds", "solve", "rest"))
            outcome.row(campaign.labels, campaign.halts, *times)
        heads = [f"{one.labels} labels, {one.halts} halts / s" for one in (small, large, long)]
        outcome.table({"part": ""} | dict.fromkeys(heads, ".3f"), "Medians by part of a heal")
        for part in PARTS:
            outcome.row(part, *(statistics.median(h.steps[part] for h in one.heals) for one in (small, large, long)))
        for what, grown in ((f"{large.labels:,} labels", large), (f"{long.halts} halts", long)):
            ratio = statistics.median(b.rest / a.rest for a, b in zip(small.heals, grown.heals, strict=True))
            than = f"{small.labels} labels and {small.halts} halts"
            outcome.at_most(f"heal at {what} to that at {than}, but for the solve", ratio, BOUND)
        for campaign in campaigns:
            campaign.campaign.close()
    outcome.finish()


class GrowingCampaign:
    """A campaign of some size that is healed again and again.

    Parameters
    ----------
    directory
        Where it lives.
    labels
        How many it starts from.
    halts
        How many it heals beforehand.
    """

    def __init__(self, directory: Path, labels: int, halts: int = 3) -> None:
        # hot, and halted by whatever is new at all: there is no end of halts
        config = copper(
            n_probes=0,  # only halts due to gamma are timed
            n_first=labels,
            n_candidates=3,
            steps=10**7,
            temperature=(3000.0, 3000.0),
            threshold_add_train=1.05,
            threshold_call_dft=1.05,
            smooth_steps=1,
            max_otf_iterations=10**5,
            max_stalled_halts=10**5,  # at one place on purpose
            max_retries=100,
            soft_start_steps=0,
            trajectory_every=0,
        )
        oracle = Stopwatch.from_config(config.oracle, ("Cu",))
        assert isinstance(oracle, Stopwatch)
        self.oracle, self.heals = oracle, list[Heal]()
        self.campaign = Campaign.create(directory, config, oracle=oracle)
        self.campaign.prepare()
        self.campaign.explore()
        while (done := len(self.campaign.progress.halts)) < halts:
            if done % 25 == 0:
                print(f"{directory.name}: {done} of {halts} halts, step {self.campaign.progress.step}", flush=True)
            heal(self.campaign, oracle)
        self.labels, self.halts = len(self.campaign.progress.labels), len(self.campaign.progress.halts)

    def turn(self) -> None:
        """Heal once."""
        generation = self.campaign.generation
        assert generation is not None
        evaluator_of(generation)  # which the other campaigns have pushed out of memory
        self.heals.append(heal(self.campaign, self.oracle))

    def median(self, what: str) -> float:
        """Return the median of an attribute of its heals."""
        return float(statistics.median(getattr(one, what) for one in self.heals))


if __name__ == "__main__":
    main()
