"""
Minority collapse
=================

**Claim.** Train on data in which some classes have R times as many samples as others.
As R grows, the rows of the head that belong to the rare classes turn toward each other,
and from a finite R on they are the same: the network no longer tells these classes
apart. `Fang et al. 2021 <https://doi.org/10.1073/pnas.2103091118>`_ predicted this from
a model with free features, and then saw it in convolutional networks.

Here five of scikit-learn's digits are frequent, 150 images each, and five are rare.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from sknc import ClassMeanGeometryDisplay, Convention
from sknc.metrics import minority_profile
from sknc.torch import analyze

EPOCHS, FREQUENT = 150, 150
RATIOS = [1, 3, 10, 25, 75, 150]

# %%
# The paper trains with strong weight decay until the loss no longer falls, and so does
# this script. All networks start from the same weights.

images, labels = map(torch.from_numpy, load_digits(return_X_y=True))
images = images.float() / 16
places = [torch.nonzero(labels == digit)[:, 0] for digit in range(10)]
held_out = torch.cat([found[FREQUENT:] for found in places])


def layer(n_inputs, n_outputs):
    """Return a hidden layer with batch normalization."""
    linear = nn.Linear(n_inputs, n_outputs, bias=False)
    return nn.Sequential(linear, nn.BatchNorm1d(n_outputs), nn.ReLU())


def trained(counts):
    """Return a network and its samples, the first of each digit in these numbers."""
    chosen = torch.cat([found[:n] for found, n in zip(places, counts, strict=True)])
    x, y = images[chosen], labels[chosen]
    torch.manual_seed(0)
    model = nn.Sequential(layer(64, 128), layer(128, 64), nn.Linear(64, 10))
    options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.02}
    optimizer = torch.optim.SGD(model.parameters(), **options)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x)).split(len(x) // 3 + 1):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        schedule.step()
    return model, (x, y)


# %%
# The convention names the rare classes, because at R = 1 the counts do not show them.
# All other images are held out.

RARE = range(5, 10)
analyses = []
for ratio in RATIOS:
    model, samples = trained([FREQUENT] * 5 + [FREQUENT // ratio] * 5)
    analyses.append(
        analyze(
            model,
            [samples],
            held_out=[(images[held_out], labels[held_out])],
            metrics=["imbalance", "nc4_head_accuracy"],
            convention=Convention(minority=RARE),
        )
    )
rows = np.array([a.train.imb_minority_cosine_head for a in analyses])
means = np.array([a.train.imb_minority_cosine for a in analyses])
recall = [a.held_out.per_class["head_recall"][RARE].mean() for a in analyses]

# %%
# The dotted line is the cosine of a simplex, which rows have at R = 1. The grids show
# the class means and the head at the largest R.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained")
curves, *grids = axes
curves.plot(RATIOS, rows, "C0o-", label="cosine of rows")
curves.plot(RATIOS, means, "C1s-", label="cosine of means")
curves.plot(RATIOS, recall, "C2^--", label="held-out recall")
curves.axhline(-1 / 9, color="0.4", linestyle=":", linewidth=1)
curves.set(xscale="log", xlabel="R", xticks=RATIOS, xticklabels=RATIOS)
curves.set_title("five rare classes", loc="left", fontsize=10)
curves.minorticks_off()
curves.legend(frameon=False, loc="center left", bbox_to_anchor=(0, 0.45))
ClassMeanGeometryDisplay.from_estimator(analyses[-1].analyzer).plot(ax=grids)
alt_text = (
    f"Left, against R from 1 to {RATIOS[-1]}: the mean cosine of the rare classes' "
    f"rows rises from {rows[0]:.2f} to {rows[-1]:.2f}, that of their means jumps to "
    f"{means[-1]:.2f} after R = 25, and their recall on held-out images falls from "
    f"{recall[0]:.2f} to {recall[-1]:.2f}. Right, grids of the cosines of all class "
    f"means and rows at R = {RATIOS[-1]}: a block of ones for the digits 5 to 9."
)
plt.show()

# %%
# Up to R = 25 only the rows turn, while the class means stay as far apart as in a
# simplex. Then both merge. ``minority_profile`` finds the classes that have.

analyzer = analyses[-2].analyzer
merged = minority_profile(analyzer.statistics_, analyzer.head).begins
turned = np.diff(rows[:4]).min()
held = rows[0] < 0 and turned > 0.01 and rows[-2:].min() > 0.95
print(
    f"{'Held' if held else 'Did not hold'}: the rows of rare classes had a mean cosine "
    f"of {rows[0]:.2f} at R = 1, {rows[3]:.2f} at R = 25 and {rows[-2]:.3f} at R = 75 "
    f"(claim: rises to 1), where all classes of up to {merged:.0f} samples have merged "
    f"and their held-out recall is {recall[-2]:.2f}"
)
assert held
