"""
Each layer separates by the same factor
=======================================

**Claim.** In a trained network the separation fuzziness, the variance within classes
against that between them, falls by about the same factor in every layer, so its
logarithm falls along a straight line. The law does not hold before training. `He & Su
2023 <https://doi.org/10.1073/pnas.2221704120>`_ saw this in networks from AlexNet to
BERT.

Here a network with eight hidden layers learns 1000 of scikit-learn's digits.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from sknc import LayerwiseDisplay
from sknc.torch import analyze_layers

EPOCHS, DEPTH, WIDTH = 100, 8, 100

# %%
# All hidden layers are alike. The pattern ``"*"`` stands for all parts of the model:
# part 0 reads the pixels, and part 8 is the head.

torch.manual_seed(0)
images, labels = map(torch.from_numpy, load_digits(return_X_y=True))
kept = torch.cat([torch.nonzero(labels == digit)[:100, 0] for digit in range(10)])
x, y = images[kept].float() / 16, labels[kept]


def layer(n_inputs):
    """Return a hidden layer with batch normalization."""
    linear = nn.Linear(n_inputs, WIDTH, bias=False)
    return nn.Sequential(linear, nn.BatchNorm1d(WIDTH), nn.ReLU())


hidden = [layer(64), *(layer(WIDTH) for _ in range(DEPTH - 1))]
model = nn.Sequential(*hidden, nn.Linear(WIDTH, 10))


def measured():
    """Return the report of all layers, under the convention of the paper."""
    return analyze_layers(
        model, [(x, y)], "*", at="input", convention="he_su2023", metrics=["nc1_pinv"]
    )


reports = {0: measured()}
options = {"lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4}
optimizer = torch.optim.SGD(model.parameters(), **options)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
for epoch in range(1, EPOCHS + 1):
    for batch in torch.randperm(len(x)).split(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()
    schedule.step()
    if epoch in {3, 10, EPOCHS}:
        reports[epoch] = measured()

# %%
# ``nc1_fuzziness`` is the logarithm. The dashed line is the law, fitted to the trained
# network by least squares.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
trained, depths = reports[EPOCHS], np.arange(DEPTH + 1)
LayerwiseDisplay.from_report(trained).plot(
    axes, metrics=["nc1_fuzziness", "nc4_ncc_accuracy"], line_kw={"color": "C0"}
)
accuracy = trained.metric("nc4_ncc_accuracy")
fuzziness = {epoch: r.metric("nc1_fuzziness") for epoch, r in reports.items()}
law = np.polynomial.Polynomial.fit(depths, fuzziness[EPOCHS], 1)
axes[0].plot(depths, law(depths), "k--", linewidth=1)
for epoch, color in {0: "C3", 3: "C1", 10: "C2", EPOCHS: "C0"}.items():
    if epoch != EPOCHS:
        axes[0].plot(depths, fuzziness[epoch], "o-", color=color, markersize=3)
    place = (DEPTH + 0.2, fuzziness[epoch][-1])
    axes[0].annotate(f"epoch {epoch}", place, color=color, va="center")
axes[0].set_xlim(right=DEPTH + 2.2)
for panel in axes:
    panel.set_xlabel("depth")
alt_text = (
    "Left, the logarithm of the separation fuzziness against depth. Before training "
    f"it rises from {fuzziness[0][0]:.1f} to {fuzziness[0][-1]:.1f}. After {EPOCHS} "
    f"epochs it falls to {fuzziness[EPOCHS][-1]:.1f} along a straight line. Right, the "
    "share of samples that are nearest to the mean of their own class: it rises from "
    f"{accuracy[0]:.2f} to {accuracy[-1]:.2f}."
)
plt.show()

# %%
# Is the line straight, and does it fall?

rate = trained.layer_separation_rate()
correlation = trained.layer_separation_correlation()
before = reports[0].layer_separation_rate()
held = correlation < -0.97 and rate < 0.75 and before > 1
print(
    f"{'Held' if held else 'Did not hold'}: after training each layer multiplied the "
    f"fuzziness by {rate:.2f}, with a correlation of {correlation:.3f} between its "
    f"logarithm and depth (claim: near -1); before, by {before:.2f}"
)
assert held
