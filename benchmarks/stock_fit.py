"""A linear fit from scratch by pyace's own means: python benchmarks/stock_fit.py DATASET.pckl.gzip OLD.yaml NEW.yaml.

What `benchmarks/heal_against.py` times as a process of its own: nothing of acemaker's is in it.
"""

from __future__ import annotations

import os
import sys

import pandas as pd
from pyace import ACEBBasisSet
from pyace.linearacefit import LinearACEDataset, LinearACEFit


def main() -> None:
    """Fit, and write the potential."""
    data, old, new = sys.argv[1:]
    dataset = LinearACEDataset(ACEBBasisSet(old), pd.read_pickle(data, compression="gzip"))
    dataset.construct_design_matrix(max_workers=os.cpu_count())
    fit = LinearACEFit(train_dataset=dataset)
    fit.fit()
    fit.get_bbasis().save(new)
    print({name: round(1e3 * float(error), 2) for name, error in fit.compute_errors().items()})


if __name__ == "__main__":
    main()
