"""Which basis would describe the labels of a campaign better."""

from __future__ import annotations

from acemaker.errors import StateError
from acemaker.loop.reader import CampaignReader
from acemaker.potentials.basis_choice import BasisChoice, choose_basis


def compare_bases(campaign: CampaignReader) -> BasisChoice:
    """Compare other bases with that of a campaign, on its labels.

    About ten bases are fitted to the labels that exist: shorter cutoffs, twice as many functions, and higher angular
    momenta. No label is computed, and the campaign does not change: to use another basis, create a campaign with its
    parameters. Since shorter cutoffs see less, a basis that was chosen on crystals can miss what liquids need: compare
    again when there are labels of all that occurs.

    Parameters
    ----------
    campaign
        A campaign with a generation.

    Returns
    -------
    BasisChoice
        Held-out force errors of all bases, and the one to use.

    Raises
    ------
    StateError
        If there is no generation yet.

    Examples
    --------
    >>> from acemaker.analysis import compare_bases
    >>> from acemaker.testing import toy_campaign
    >>> compare_bases(toy_campaign()).left_out
    'structures'
    """
    generation = campaign.generation
    if generation is None:
        raise StateError("there is no potential to compare with yet; run campaign.prepare() first")
    return choose_basis(
        campaign.config.potential,
        campaign.trained_on(),
        generation.elements,
        baseline=generation.baseline,
        reference=generation.reference_energies,
    )
