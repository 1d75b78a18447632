"""
Loss in three parts, and the central path
=========================================

**Claim.** Under mean squared error the loss is the sum of three parts: the spread
within classes (LNC1), the positions of the class means (LNC2/3), and the gap between
the head and the best head for these features (L⊥). The last is negligible during
training, so the network stays near the "central path", on which its head is always the
best one (`Han, Papyan & Donoho 2022 <https://arxiv.org/abs/2106.02073>`_).

The authors measure large networks once per epoch. Here an epoch has only four steps, so
the figure also shows the first moments of training.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from sknc import Convention, NCHistory
from sknc.torch import analyze

EPOCHS = 300
MEASURED = {1, 2, 3, 5, 7, 10, 14, 21, 31, 45, 66, 96, 140, 205, EPOCHS}
WEIGHT_DECAY = 5e-3

torch.manual_seed(0)
images, labels = map(torch.from_numpy, load_digits(return_X_y=True))
kept = torch.cat([torch.nonzero(labels == digit)[:100, 0] for digit in range(10)])
x, y = images[kept].float() / 16, labels[kept]
targets = nn.functional.one_hot(y).float()

# %%
# The convention names the weight decay of the optimizer, so that the parts add up to
# the training loss: half the squared error, plus half the decay of the head.


def layer(n_inputs, n_outputs):
    """Return a hidden layer with batch normalization."""
    linear = nn.Linear(n_inputs, n_outputs, bias=False)
    return nn.Sequential(linear, nn.BatchNorm1d(n_outputs), nn.ReLU())


model = nn.Sequential(layer(64, 128), layer(128, 128), nn.Linear(128, 10))
options = {"lr": 0.02, "momentum": 0.9, "weight_decay": WEIGHT_DECAY}
optimizer = torch.optim.SGD(model.parameters(), **options)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
convention = Convention("decayed", weight_decay=WEIGHT_DECAY)
history = NCHistory()
for epoch in range(1, EPOCHS + 1):
    for batch in torch.randperm(len(x)).split(250):
        optimizer.zero_grad()
        squares = (model(x[batch]) - targets[batch]).square()
        (squares.sum(1).mean() / 2).backward()
        optimizer.step()
    schedule.step()
    if epoch in MEASURED:
        found = analyze(model, [(x, y)], metrics=["MSE"], convention=convention)
        history.append(epoch, found.train)

# %%
# The left panel shows the three parts, and the right panel their shares of the loss.
# LNC2/3 falls fast: the class means are in place long before the classes are tight.

PARTS = {"mse_lperp": "L⊥", "mse_lnc1": "LNC1", "mse_lnc23": "LNC2/3"}
COLORS = ["#D55E00", "#0072B2", "#009E73"]
values = np.array([history[key] for key in PARTS])
shares = values / history["mse_total"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for part, name, color in zip(values, PARTS.values(), COLORS, strict=True):
    left.loglog(history.steps, part, "o-", color=color, markersize=4, label=name)
left.set(xlabel="epoch", ylabel="part of the loss", title="The parts fall")
left.legend(frameon=False)
right.stackplot(history.steps, shares, colors=COLORS, labels=PARTS.values(), alpha=0.8)
right.set(xlabel="epoch", xscale="log", ylabel="share of the loss", ylim=(0, 1))
right.set(xlim=(1, EPOCHS), title="L⊥ is large first, and small later")
early, late = shares[0].max(), shares[0][-1]
alt_text = (
    "Two panels against the epoch. Left: the three parts of the loss fall; LNC1 is the "
    "largest at the end. Right: stacked shares; that of L⊥ is the largest in the first "
    f"epochs, up to {early:.0%}, and {late:.0%} at the end."
)
plt.show()

# %%
# The parts add up. The network does approach the central path, but early in this short
# training it is far from it.

assert np.allclose(values.sum(axis=0), history["mse_total"], rtol=1e-6)
held, comes_near = early < 0.1, late < 0.06
print(
    f"{'Held' if held else 'Did not hold'}: L⊥ was up to {early:.0%} of the loss in "
    f"the first epochs (claim: negligible, say below 10%); it was {late:.1%} at the end"
)
assert (held, comes_near) == (False, True)
