"""
One name, NC1, and a factor of ten or more
==========================================

**Claim.** Values of NC1 from two papers cannot be compared without their definitions.
For the same features, `He & Su 2023 <https://doi.org/10.1073/pnas.2221704120>`_ report
K times the value of `Papyan, Han & Donoho 2020
<https://doi.org/10.1073/pnas.2015509117>`_, where K is the number of classes. On
imbalanced data the factor is larger, because they weight classes by frequency.

Only a logistic regression is trained here. The features are the pixels of
scikit-learn's digits.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from sknc import NeuralCollapseAnalyzer

PRESETS = ["papyan2020", "han2022", "zhu2021", "frequency", "he_su2023"]
COLORS = ["#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00"]
METRICS = {
    "nc3_self_duality": "NC3, self-duality",
    "nc2_etf": "NC2, distance from a simplex",
    "nc1_within_fraction": "NC1, share of the variance",
    "nc1_pinv": r"NC1, $\mathrm{tr}(\Sigma_W \Sigma_B^\dagger)$",
}
images, labels = load_digits(return_X_y=True)

# %%
# One data set has 170 images of each digit, the other from 170 down to 10.


def values(counts):
    """Return the metrics of the first images of each digit, one row a preset."""
    rows = [np.flatnonzero(labels == digit)[:n] for digit, n in enumerate(counts)]
    kept = np.concatenate(rows)
    X, y = images[kept] / 16, labels[kept]
    head = LogisticRegression(max_iter=5000).fit(X, y)
    reports = [NeuralCollapseAnalyzer(head, convention=p).fit(X, y) for p in PRESETS]
    return np.array([[r.report()[key] for key in METRICS] for r in reports])


long_tailed = np.geomspace(170, 10, 10).round().astype(int)
found = {
    "170 images of each digit": values([170] * 10),
    "170 to 10 images of a digit": values(long_tailed),
}

# %%
# Every row is one metric of the same features and head. Where markers are apart, the
# presets disagree.

figure, panels = plt.subplots(
    1, 2, figsize=(9, 3.8), sharex=True, sharey=True, layout="constrained"
)
for panel, (title, table) in zip(panels, found.items(), strict=True):
    for place, (preset, row) in enumerate(zip(PRESETS, table, strict=True)):
        heights = np.arange(len(METRICS)) + 0.12 * (2 - place)
        look = {"marker": "osD^v"[place], "color": COLORS[place], "label": preset}
        panel.plot(row, heights, linestyle="", **look)
    panel.set(title=title, xscale="log", xlabel="value")
    panel.set_yticks(range(len(METRICS)), METRICS.values())
    panel.grid(axis="x", color="0.9")
handles, names = panels[0].get_legend_handles_labels()
figure.legend(handles, names, loc="outside lower center", ncols=5)
balanced, tailed = (table.T[-1] for table in found.values())
alt_text = (
    "Two panels with a row for each of four metrics and a marker for each of five "
    "presets. On balanced data markers coincide, except for a square in NC3 and a "
    f"factor of {balanced.max() / balanced.min():.0f} in NC1; on long-tailed data NC1 "
    f"spans a factor of {tailed.max() / tailed.min():.0f}."
)
plt.show()

# %%
# The factor K is exact on balanced data. The other factor depends on how long the tail
# is.

papyan, he_su = PRESETS.index("papyan2020"), PRESETS.index("he_su2023")
factor, longer = balanced[he_su] / balanced[papyan], tailed[he_su] / tailed[papyan]
held = np.isclose(factor, 10, rtol=1e-6) and longer > 14
print(
    f"{'Held' if held else 'Did not hold'}: NC1 of He & Su is {factor:.4f} times that "
    f"of Papyan et al. on balanced data (claim: K = 10), and {longer:.0f} times on "
    "long-tailed data (claim: more)"
)
assert held
