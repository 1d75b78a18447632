"""
More tokens than dimensions
===========================

**Claim.** A language model has more classes (its tokens) than dimensions, so the class
means cannot form a simplex. Still, models that are wider or trained longer have less
variance within tokens (NC1), means that spread more evenly over the sphere (GNC2), rows
of the head that align with them more uniformly (UNC3), and more decisions that agree
with the nearest mean (NC4). `Wu & Papyan 2024 <https://arxiv.org/abs/2405.17767>`_ saw
this in transformers that read short stories.

Here models of 8 to 64 dimensions read Python's own help pages.
"""

import re
from collections import Counter
from pydoc_data.topics import topics

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from sknc import NCHistory
from sknc.torch import analyze

EPOCHS, MEASURED = 20, {1, 2, 5, 10, 20}
WIDTHS = [8, 24, 64]
N_WORDS, N_TOKENS, LENGTH, CONTEXT = 20_000, 300, 32, 4

# %%
# The first 20 000 words and signs, in sequences of 32. The 300 most frequent are the
# tokens; all others share one more input token and are never predicted: their label is
# -100.

text = " ".join(topics[name] for name in sorted(topics)).lower()
words = re.findall(r"[a-z]+|[.,;:()]", text)[:N_WORDS]
known = {word: i for i, (word, _) in enumerate(Counter(words).most_common(N_TOKENS))}
numbers = torch.tensor([known.get(word, N_TOKENS) for word in words])
tokens = numbers[: N_WORDS // LENGTH * LENGTH].view(-1, LENGTH)
labels = tokens.masked_fill(tokens == N_TOKENS, -100)

# %%
# The model reads the last four tokens. Token t predicts token t + 1, which ``analyze``
# must be told with ``shift=True``, as this model returns no loss that would show it.


class Model(nn.Module):
    """Logits of the next token, from a window of tokens."""

    def __init__(self, width):
        super().__init__()
        self.embedding = nn.Embedding(N_TOKENS + 1, width)
        self.window = nn.Conv1d(width, 4 * width, CONTEXT)
        self.mix = nn.Linear(4 * width, width)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, N_TOKENS, bias=False)

    def forward(self, tokens):
        """Return the logits (B, T, V) of tokens (B, T)."""
        past = nn.functional.pad(self.embedding(tokens).mT, (CONTEXT - 1, 0))
        return self.head(self.norm(self.mix(self.window(past).relu().mT)))


KEYS = [
    "nc1_cdnv",
    "gnc2_dispersion_log",
    "nc3_uniform_duality",
    "nc4_mismatch",
    "nc3_self_duality",
    "nc2_equinorm",
]


def trained(width):
    """Return the history of a model, from before training on."""
    torch.manual_seed(0)
    model, history = Model(width), NCHistory()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    n_steps = EPOCHS * -(-len(tokens) // 16)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, n_steps)
    for epoch in range(EPOCHS + 1):
        if epoch:
            for batch in torch.randperm(len(tokens)).split(16):
                logits = model(tokens[batch])[:, :-1]
                optimizer.zero_grad()
                nn.functional.cross_entropy(
                    logits.flatten(0, 1), labels[batch][:, 1:].flatten()
                ).backward()
                optimizer.step()
                schedule.step()
        if epoch == 0 or epoch in MEASURED:
            found = analyze(model, [(tokens, labels)], shift=True, metrics=KEYS)
            history.append(epoch, found.train)
    return history


histories = {f"{width} dimensions": trained(width) for width in WIDTHS}

# %%
# Epoch 0 is before training. Random directions are more even in more dimensions, so
# untrained models already differ in GNC2.

NCHistory.compare(histories, metrics=KEYS, xlabel="epoch", epoch_scale="log")
claimed = {
    key: np.array([history[key] for history in histories.values()]) for key in KEYS[:4]
}  # by width and epoch
variance, mismatch = claimed["nc1_cdnv"], claimed["nc4_mismatch"]
alt_text = (
    "Six panels against the epoch, a curve for each width. The wider the model, the "
    f"lower its curve: with {WIDTHS[0]} and with {WIDTHS[-1]} dimensions, the variance "
    f"within tokens ends at {variance[0, -1]:.1f} and at {variance[-1, -1]:.1f}, and "
    "the share of tokens on which head and nearest mean differ at "
    f"{mismatch[0, -1]:.2f} and at {mismatch[-1, -1]:.2f}. All fall with training but "
    "GNC2, which rises and then falls to about where it began, or stays higher."
)
plt.show()

# %%
# By what factor is each of the four lower in the widest model than in the narrowest,
# and in the widest model lower after training than before? The last two panels, which
# are not part of the claim, fall as well.

by_width = {key: found[0, -1] / found[-1, -1] for key, found in claimed.items()}
by_training = {key: found[-1, 0] / found[-1, -1] for key, found in claimed.items()}


def in_words(factors):
    """Return numbers with commas."""
    return ", ".join(f"{factor:.1f}" for factor in factors.values())


# Training made the means hardly more even than random directions.
but_gnc2 = [factor for key, factor in by_training.items() if "gnc2" not in key]
as_found = min([*by_width.values(), *but_gnc2]) > 1.5
held = as_found and by_training["gnc2_dispersion_log"] > 1.5
print(
    f"{'Held' if held else 'Did not hold'}: NC1, GNC2, UNC3 and NC4 fell "
    f"{in_words(by_width)} times from {WIDTHS[0]} to {WIDTHS[-1]} dimensions, and "
    f"{in_words(by_training)} times by training (claim: all by more than 1.5)"
)
assert as_found
