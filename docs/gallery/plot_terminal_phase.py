"""
Four properties, past zero error
================================

**Claim.** Once the training error is zero and training goes on, features shrink to
their class means (NC1), the centered means become the corners of a simplex (NC2), the
rows of the head align with them (NC3), and the head decides as the nearest class mean
does (NC4). `Papyan, Han & Donoho 2020 <https://doi.org/10.1073/pnas.2015509117>`_ saw
this in large networks on seven data sets of images.

Here a network with two hidden layers learns 1000 of scikit-learn's digits.
"""

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn

from sknc import NCHistory
from sknc.torch import analyze

EPOCHS = 600
MEASURED = {1, 2, 4, 6, 8, 13, 20, 30, 46, 71, 109, 167, 256, 392, EPOCHS}

# %%
# The paper trains on classes of equal size, so we keep 100 images of each digit.

torch.manual_seed(0)
images, labels = map(torch.from_numpy, load_digits(return_X_y=True))
kept = torch.cat([torch.nonzero(labels == digit)[:100, 0] for digit in range(10)])
x, y = images[kept].float() / 16, labels[kept]


# %%
# The learning rate falls to zero along a cosine, and all parameters have weight decay.
# ``analyze`` measures the network between epochs and leaves the training unchanged.


def layer(n_inputs, n_outputs):
    """Return a hidden layer with batch normalization."""
    linear = nn.Linear(n_inputs, n_outputs, bias=False)
    return nn.Sequential(linear, nn.BatchNorm1d(n_outputs), nn.ReLU())


model = nn.Sequential(layer(64, 128), layer(128, 128), nn.Linear(128, 10))
options = {"lr": 0.05, "momentum": 0.9, "weight_decay": 5e-3}
optimizer = torch.optim.SGD(model.parameters(), **options)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
history = NCHistory()
for epoch in range(1, EPOCHS + 1):
    for batch in torch.randperm(len(x)).split(250):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()
    schedule.step()
    if epoch in MEASURED:
        history.append(epoch, analyze(model, [(x, y)]).train)

# %%
# The dotted line is the first measured epoch without training error. Everything to the
# right of it is what the paper calls the terminal phase.

KEYS = ["nc1_pinv", "nc2_equinorm", "nc2_equiangular", "nc3_self_duality"]
display = history.plot(
    metrics=[*KEYS, "nc4_mismatch", "nc4_head_accuracy"],
    xlabel="epoch",
    epoch_scale="log",
)
first = int((history["nc4_head_accuracy"] == 1).argmax())
at_zero_error, at_end = history[first].train, history[-1].train
alt_text = (
    "Six panels against the epoch: NC1, the two measures of NC2, NC3 and the mismatch "
    f"of NC4 fall from epoch 1 to {EPOCHS}, most of it after the training accuracy "
    f"reaches 1 at epoch {history[first].step}."
)
plt.show()

# %%
# From the first epoch without error to the last, do NC1 to NC3 fall by half or more?

factors = [at_zero_error[key] / at_end[key] for key in KEYS]
held = min(factors) > 2 and at_end.nc4_mismatch < 0.005
print(
    f"{'Held' if held else 'Did not hold'}: past zero error, NC1 fell "
    f"{factors[0]:.0f} times, NC2 and NC3 {min(factors[1:]):.1f} times or more (claim: "
    f"more than 2 times), and the mismatch of NC4 ended at {at_end.nc4_mismatch:.3f} "
    "(claim: below 0.005)"
)
assert held
