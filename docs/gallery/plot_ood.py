"""
Finding samples of no class by their subspace
=============================================

**Claim.** The features of collapsed classes lie in few directions, and samples of no
class lie mostly outside them. NECO, the share of a feature's length within these
directions, therefore finds such samples better than the largest softmax value and the
Mahalanobis distance. `Ben Ammar et al. 2024 <https://arxiv.org/abs/2310.06823>`_ saw
this for networks trained on CIFAR and ImageNet.

Here five networks learn the digits 0 to 7, and see three kinds of other samples.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits, load_sample_images
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.metrics import roc_auc_score
from torch import nn

from sknc import NearestClassCenter, OutOfDistributionDetector

SEEDS = range(5)
EPOCHS, N_TRAIN, N_CLASSES = 200, 320, 8

# %%
# Each network learns a different set of 320 images. The remaining images of these eight
# digits are its test set. Foreign samples are test images with their pixels shuffled, 8
# x 8 patches of scikit-learn's two photos, and the digits 8 and 9.

images, labels = load_digits(return_X_y=True)
images = images.astype(np.float32) / 16
photos = [photo[::4, ::4].mean(axis=2) / 255 for photo in load_sample_images().images]
patches = np.concatenate(
    [extract_patches_2d(p, (8, 8), max_patches=200, random_state=0) for p in photos]
)
patches = patches.reshape(-1, 64).astype(np.float32)


def layer(n_inputs, n_outputs):
    """Return a hidden layer with batch normalization."""
    linear = nn.Linear(n_inputs, n_outputs, bias=False)
    return nn.Sequential(linear, nn.BatchNorm1d(n_outputs), nn.ReLU())


def trained(x, y):
    """Return a network, trained well past the last training error."""
    model = nn.Sequential(layer(64, 128), layer(128, 128), nn.Linear(128, N_CLASSES))
    options = {"lr": 0.05, "momentum": 0.9, "weight_decay": 5e-3}
    optimizer = torch.optim.SGD(model.parameters(), **options)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x)).split(80):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        schedule.step()
    return model.eval()


# %%
# ``OutOfDistributionDetector`` is NECO. With ``head=`` the share is multiplied by the
# largest logit, as the paper does for some networks. The distances are those of
# ``NearestClassCenter``.


def scores(model, features, targets):
    """Return functions of features by name, high for samples like the fitted ones."""
    neco = OutOfDistributionDetector().fit(features, targets)
    with_logit = OutOfDistributionDetector(head=model[-1]).fit(features, targets)
    centers = NearestClassCenter(metric="mahalanobis").fit(features, targets)

    def softmax(z):
        with torch.no_grad():
            return model[-1](torch.from_numpy(z)).softmax(1).amax(1).numpy()

    return {
        "NECO": neco.score_samples,
        "NECO with logit": with_logit.score_samples,
        "softmax": softmax,
        "Mahalanobis": lambda z: -centers.transform(z).min(axis=1),
    }


areas = {}
for seed in SEEDS:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.flatnonzero(labels < N_CLASSES))
    train, test = order[:N_TRAIN], order[N_TRAIN:]
    model = trained(torch.from_numpy(images[train]), torch.from_numpy(labels[train]))

    def features(x, model=model):
        """Return what the head reads."""
        with torch.no_grad():
            return model[:-1](torch.from_numpy(x)).numpy()

    foreign = {
        "shuffled pixels": rng.permuted(images[test], axis=1),
        "photos": patches,
        "digits 8 and 9": images[labels >= N_CLASSES],
    }
    inside = features(images[test])
    for name, score in scores(model, features(images[train]), labels[train]).items():
        for kind, x in foreign.items():
            values = np.concatenate([score(inside), score(features(x))])
            is_known = np.arange(len(values)) < len(inside)
            areas.setdefault((name, kind), []).append(roc_auc_score(is_known, values))

# %%
# Small dots show the five networks, large markers their means, and bars one standard
# error.

figure, ax = plt.subplots(figsize=(9, 3.8), layout="constrained")
methods = list(dict.fromkeys(name for name, _ in areas))
kinds = list(dict.fromkeys(kind for _, kind in areas))
found = np.array([[areas[name, kind] for kind in kinds] for name in methods])
for i, (name, values, marker) in enumerate(zip(methods, found, "osD^", strict=True)):
    rows = np.arange(len(kinds)) + 0.18 * (i - 1.5)
    ax.plot(values, rows[:, None], f"C{i}.", markersize=4, alpha=0.4)
    error = values.std(axis=1, ddof=1) / len(SEEDS) ** 0.5
    style = {"fmt": f"C{i}{marker}", "capsize": 3, "label": name}
    ax.errorbar(values.mean(axis=1), rows, xerr=error, **style)
ax.set_yticks(range(len(kinds)), kinds)
ax.set_xlabel("area under the ROC curve, test digits against others")
ax.invert_yaxis()
ax.grid(axis="x", color="0.9")
ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
means = dict(zip(methods, found.mean(axis=2), strict=True))
alt_text = "Mean areas under the ROC curve, with error bars. " + " ".join(
    f"{kind.capitalize()}: "
    + ", ".join(f"{name} {means[name][i]:.3f}" for name in methods)
    + "."
    for i, kind in enumerate(kinds)
)
plt.show()

# %%
# NECO is compared with the others network by network, over the mean of the three kinds.

by_network = dict(zip(methods, found.mean(axis=1), strict=True))
gains = {}
for name in ("softmax", "Mahalanobis"):
    gain = by_network["NECO"] - by_network[name]
    gains[name] = gain.mean(), gain.std(ddof=1) / len(SEEDS) ** 0.5
held = all(mean > 2 * error for mean, error in gains.values())
# NECO is better than the softmax, and about as good as the distance.
as_found = gains["softmax"][0] > 0.005 and abs(gains["Mahalanobis"][0]) < 0.01
print(
    f"{'Held' if held else 'Did not hold'}: NECO's mean AUROC is "
    f"{by_network['NECO'].mean():.3f}, or {gains['softmax'][0]:+.4f} ± "
    f"{gains['softmax'][1]:.4f} beside the softmax and {gains['Mahalanobis'][0]:+.4f} "
    f"± {gains['Mahalanobis'][1]:.4f} beside the Mahalanobis distance (claim: more "
    "than either)"
)
assert as_found
