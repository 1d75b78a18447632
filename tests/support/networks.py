"""Small networks of every kind that the tests of torch models need."""

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

K = 5


def mlp(n_inputs=12, width=16, n_classes=K):
    return nn.Sequential(
        nn.Linear(n_inputs, width),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(width, n_classes),
    )


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm beside a shortcut."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(n_out)
        self.shortcut = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Conv2d(n_in, n_out, 1, stride, bias=False)

    def forward(self, x):
        inner = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))


class ResNet(nn.Module):
    """A residual network of so many stages, each twice as wide as the last."""

    def __init__(self, width=8, n_stages=3, n_classes=K):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, 1, 1)
        widths = [width * 2**i for i in range(n_stages)]
        ends = zip([width, *widths[:-1]], widths, strict=True)
        self.stages = nn.Sequential(
            *[Block(n_in, n_out, 2 if i else 1) for i, (n_in, n_out) in enumerate(ends)]
        )
        self.fc = nn.Linear(widths[-1], n_classes)

    def forward(self, x):
        return self.fc(self.stages(self.stem(x)).mean((2, 3)))


class Net(nn.Module):
    """A layer, a head, and what a subclass makes of them."""

    def __init__(self, n_inputs=12, width=16, n_classes=K):
        super().__init__()
        self.body = nn.Linear(n_inputs, width)
        self.head = nn.Linear(width, n_classes)

    def features(self, x):
        return functional.relu(self.body(x))

    def forward(self, x):
        return self.head(self.features(x))


class Checkpointed(Net):
    def forward(self, x):
        def run(x):
            return self.head(self.features(x))

        return checkpoint(run, x, use_reentrant=False)


class OwnAutocast(Net):
    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.head(self.features(x)).float()


class Keyword(Net):
    def forward(self, x):
        return self.head(input=self.features(x))


class Functional(Net):
    """Multiplies by the head's weight without calling the head."""

    def forward(self, x):
        return functional.linear(self.features(x), self.head.weight, self.head.bias)


class Twice(Net):
    def forward(self, x):
        self.head(self.features(-x))
        return self.head(self.features(x))


class Chunked(Net):
    def forward(self, x):
        return torch.cat([self.head(self.features(part)) for part in x.split(4)])


class Overwriting(Net):
    """Writes over the features once the head has read them."""

    def forward(self, x):
        features = self.features(x)
        logits = self.head(features)
        features.zero_()
        return logits


class Temperature(Net):
    def forward(self, x):
        return super().forward(x) / 0.07


class TwoHeads(Net):
    def __init__(self):
        super().__init__()
        self.other = nn.Linear(16, 3)

    def forward(self, x):
        features = self.features(x)
        return self.head(features), self.other(features)


class Named(TwoHeads):
    """Says which output is the logits."""

    def forward(self, x):
        features = self.features(x)
        return {
            "logits": self.head(features),
            "other": self.other(features),
            "features": features,
        }


class SumOfHeads(Net):
    def __init__(self):
        super().__init__()
        self.other = nn.Linear(16, K)

    def forward(self, x):
        features = self.features(x)
        return self.head(features) + self.other(features)


class Cosine(nn.Module):
    """A head of cosines: linear in normalized features only."""

    def __init__(self, n_inputs, n_classes):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_classes, n_inputs))

    def forward(self, x):
        normalize = functional.normalize
        return 16 * functional.linear(normalize(x), normalize(self.weight))


class Lora(nn.Module):
    """An adapter of low rank beside a linear layer that it holds."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.base = nn.Linear(n_inputs, n_outputs)
        self.down = nn.Linear(n_inputs, 2, bias=False)
        self.up = nn.Linear(2, n_outputs, bias=False)

    def forward(self, x):
        return self.base(x) + 4 * self.up(self.down(x))


class LastToken(nn.Module):
    """Scores every token and returns the scores of the last that is not padding."""

    def __init__(self, n_tokens=11, width=8, n_classes=K):
        super().__init__()
        self.embed = nn.Embedding(n_tokens, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.score = nn.Linear(width, n_classes, bias=False)

    def forward(self, ids):
        scores = self.score(self.mix(self.embed(ids))[0])
        last = (ids != 0).sum(1) - 1
        return scores[torch.arange(len(ids)), last]


class TiedLanguageModel(nn.Module):
    """Scores every token by the matrix that embeds it, (B, T, V)."""

    def __init__(self, n_tokens=11, width=8):
        super().__init__()
        self.embed = nn.Embedding(n_tokens, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.lm_head = nn.Linear(width, n_tokens, bias=False)
        self.lm_head.weight = self.embed.weight

    def forward(self, ids):
        return self.lm_head(self.mix(self.embed(ids))[0])


def dense_maps():
    """Scores every place of a map, (B, K, H, W)."""
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, K, 1))


def pooled_pointwise():
    """A 1x1 convolution as the head, behind pooling."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(8, K, 1),
        nn.Flatten(),
    )
