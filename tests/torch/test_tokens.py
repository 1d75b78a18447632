"""Models of tokens: which label belongs to which token, and which to none."""

import pytest

torch = pytest.importorskip("torch")
import networks  # noqa: E402
from torch import nn  # noqa: E402

from sknc import NeuralCollapseAnalyzer  # noqa: E402
from sknc.torch import analyze  # noqa: E402

V = 11
GENERATOR = torch.Generator().manual_seed(0)
IDS = torch.randint(1, V, (24, 9), generator=GENERATOR)
IDS[::2, 6:] = 0
LABELS = IDS.masked_fill(IDS == 0, -100)
BATCHES = [{"ids": IDS[i::3], "labels": LABELS[i::3]} for i in range(3)]


class Causal(networks.TiedLanguageModel):
    """Has a loss of its own, of each token and the label of the next one."""

    shift = True

    def forward(self, ids, labels=None):
        logits = super().forward(ids)
        if labels is None:
            return {"logits": logits}
        shown = (logits[:, :-1], labels[:, 1:]) if self.shift else (logits, labels)
        return {"loss": self.loss(*shown), "logits": logits}

    @staticmethod
    def loss(logits, labels):
        return nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


class Masked(Causal):
    """Compares each token with its own label."""

    shift = False


class InTuples(Causal):
    def forward(self, ids, labels=None):
        return tuple(super().forward(ids, labels).values())


class AnyKeywords(Masked):
    """Passes keywords on, as wrappers around models do."""

    config = None

    def forward(self, *args, **kwargs):
        return super().forward(*args, **kwargs)


class OtherLoss(Causal):
    @staticmethod
    def loss(logits, labels):
        return logits.square().mean()


def by_hand(model, shift):
    """Return the report of the features of each batch, without the probe."""
    batches = []
    for batch in BATCHES:
        with torch.no_grad():
            features = model.mix(model.embed(batch["ids"]))[0]
        labels = batch["labels"]
        if shift:
            features, labels = features[:, :-1], labels[:, 1:]
        keep = labels != -100
        batches.append((features[keep], labels[keep]))
    analyzer = NeuralCollapseAnalyzer(model.lm_head)
    return analyzer.fit_batches(batches, classes=range(V)).score_batches(batches)


def made(kind):
    torch.manual_seed(0)
    return kind()


@pytest.mark.parametrize(
    ("kind", "shift"),
    [(Causal, True), (Masked, False), (InTuples, True), (AnyKeywords, False)],
)
def test_the_own_loss_of_a_model_tells_whether_labels_are_shifted(kind, shift):
    model = made(kind)
    found = analyze(model, BATCHES).train
    assert found.to_json() == by_hand(model, shift).to_json()
    assert found.n_samples == int(
        (LABELS[:, 1:] != -100).sum() if shift else (LABELS != -100).sum()
    )


@pytest.mark.parametrize("shift", [False, True])
def test_shift_can_be_given(shift):
    model = made(networks.TiedLanguageModel)
    found = analyze(model, BATCHES, shift=shift).train
    assert found.to_json() == by_hand(model, shift).to_json()


def test_numbers_without_the_shift_are_too_good():
    # The state still knows its token, which is its label without the shift.
    model = made(Causal)
    nn.init.zeros_(model.mix.weight_hh_l0)
    right, wrong = (by_hand(model, shift) for shift in (True, False))
    assert wrong.nc4_ncc_accuracy > 2 * right.nc4_ncc_accuracy
    assert wrong.nc1_cdnv < right.nc1_cdnv / 5
    assert analyze(model, BATCHES).train.nc1_cdnv == right.nc1_cdnv


def test_labels_of_a_loader_that_shifts_are_taken_as_they_are():
    model = made(networks.TiedLanguageModel)
    loader = [(IDS[:, :-1], LABELS[:, 1:])]
    found = analyze(model, loader).train
    with torch.no_grad():
        features = model.mix(model.embed(IDS[:, :-1]))[0]
    keep = LABELS[:, 1:] != -100
    reference = NeuralCollapseAnalyzer(model.lm_head)
    reference.fit(features[keep], LABELS[:, 1:][keep], classes=range(V))
    scored = reference.score(features[keep], LABELS[:, 1:][keep])
    assert found.to_json() == scored.to_json()


def test_tokens_as_their_own_labels_without_a_loss_are_refused():
    model = made(networks.TiedLanguageModel)
    with pytest.raises(
        ValueError,
        match=r"^The labels of the tokens are the tokens themselves, and the model "
        r"returns no loss .* Pass shift=True if a token predicts the label of the next "
        r"one, as in causal language models, or else shift=False\.$",
    ):
        analyze(model, BATCHES)


def test_unknown_loss_is_refused():
    with pytest.raises(
        ValueError,
        match=r"^The model's own loss, \d\S+, does not show which labels its tokens "
        r"are compared with: their own labels would give \d\S+, those of the next "
        r"tokens \d\S+\. Pass shift=True if",
    ):
        analyze(made(OtherLoss), BATCHES)
    assert analyze(made(OtherLoss), BATCHES, shift=True).train.n_samples


def test_batch_of_padding_alone_is_skipped():
    padding = {"ids": IDS[:2], "labels": LABELS[:2] * 0 - 100}
    model = made(Causal)
    found = analyze(model, [padding, *BATCHES]).train
    assert found.to_json() == by_hand(model, True).to_json()


def test_other_label_of_padding():
    model = made(Causal)
    batches = [(b["ids"], b["labels"].clamp_min(0)) for b in BATCHES]
    found = analyze(model, batches, ignore_index=0, shift=True).train
    assert found.to_json() == by_hand(model, True).to_json()
    everything = analyze(model, batches, ignore_index=None, shift=True).train
    assert everything.n_samples == LABELS[:, 1:].numel()


def test_weights_of_tokens_are_shifted_like_labels():
    model = made(networks.TiedLanguageModel)
    weights = torch.rand(LABELS.shape, generator=GENERATOR)
    found = analyze(
        model, [(IDS, LABELS, weights)], unpack=lambda batch: batch, shift=True
    ).train
    with torch.no_grad():
        features = model.mix(model.embed(IDS))[0][:, :-1]
    keep = LABELS[:, 1:] != -100
    rows = features[keep], LABELS[:, 1:][keep], weights[:, 1:][keep]
    reference = NeuralCollapseAnalyzer(model.lm_head).fit(*rows, classes=range(V))
    assert found.to_json() == reference.score(*rows).to_json()


def test_one_scored_token_a_sequence():
    model = made(networks.LastToken)
    y = torch.arange(24) % networks.K
    found = analyze(model, [(IDS, y)]).train
    with torch.no_grad():
        every = model.mix(model.embed(IDS))[0]
    features = every[torch.arange(24), (IDS != 0).sum(1) - 1]
    reference = NeuralCollapseAnalyzer(model.score).fit(features, y)
    assert found.to_json() == reference.score(features, y).to_json()


def test_labels_of_other_tokens_are_refused():
    with pytest.raises(
        ValueError,
        match=r"got int64 of shape \(24, 8\) for features of shape \(24, 9, 8\)\. If "
        r"the model drops or adds positions, pass unpack=lambda batch: \(inputs, "
        r"labels\), with labels of shape \(24, 9\)\.",
    ):
        analyze(made(networks.TiedLanguageModel), [(IDS, LABELS[:, 1:])])
