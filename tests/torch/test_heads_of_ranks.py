"""Heads of several processes, which have to be the same."""

import re

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available(), reason="torch was built without distributed"
)
from rank_cases import HEAD, K, X, Y  # noqa: E402
from thread_ranks import in_ranks  # noqa: E402

from sknc import NeuralCollapseAnalyzer  # noqa: E402
from sknc.head import LabeledHead  # noqa: E402
from sknc.torch import _rank_merging as module  # noqa: E402


def linear(sign):
    """Return a layer with the weights of the head, or their negatives."""
    layer = torch.nn.Linear(X.shape[1], K)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(sign * HEAD[0]))
        layer.bias.copy_(torch.tensor(HEAD[1]))
    return layer


HEADS = {
    "weights": (HEAD, (-HEAD[0], HEAD[1])),
    "bias": (HEAD, (HEAD[0], -HEAD[1])),
    "no bias": (HEAD, HEAD[0]),
    "classes": (HEAD, LabeledHead(*HEAD, np.arange(K)[::-1])),
    "layer": (linear(1), linear(-1)),
    "module": (torch.nn.Sequential(linear(1)), torch.nn.Sequential(linear(-1))),
}
OTHER_HEAD = (
    r"^All ranks must have a head of the same weights, bias and classes, got \w{32} on "
    r"rank 0 and \w{32} on rank 1\. Copy the head of one rank to the others, with its "
    r"buffers if it has any, such as batch-norm averages\.$"
)


def check_refused(errors):
    messages = {str(error) for error in errors}
    assert [type(error) for error in errors] == [ValueError] * len(errors)
    assert len(messages) == 1
    assert re.match(OTHER_HEAD, messages.pop())


@pytest.mark.parametrize("case", HEADS)
@pytest.mark.parametrize("empty", [None, 0, 1])
def test_other_heads_are_refused(case, empty):
    def merged(ranks):
        mine = NeuralCollapseAnalyzer(HEADS[case][ranks.number])
        if ranks.number != empty:
            mine.fit(X, Y)
        return module.merged_over_ranks(mine, ranks)

    check_refused(in_ranks(2, merged))


@pytest.mark.parametrize("case", HEADS)
def test_scores_with_other_heads_are_refused(case):
    def scored(ranks):
        mine = NeuralCollapseAnalyzer(HEADS[case][ranks.number]).fit(X, Y)
        return module.scored_over_ranks(mine, [(X, Y)], ranks)

    check_refused(in_ranks(2, scored))


@pytest.mark.parametrize("wrap", [lambda x: x, torch.nn.Sequential])
def test_replicas_of_a_head_are_the_same(wrap):
    def scored(ranks):
        mine = NeuralCollapseAnalyzer(wrap(linear(1)))
        if ranks.number:
            mine.fit(X, Y)
        merged = module.merged_over_ranks(mine, ranks)
        return module.scored_over_ranks(merged, [(X, Y)], ranks).nc4_head_accuracy

    # The weights of the layer are of single precision.
    expected = NeuralCollapseAnalyzer(linear(1)).fit(X, Y).score(X, Y)
    assert expected.nc4_head_accuracy > 0
    assert in_ranks(2, scored) == [expected.nc4_head_accuracy] * 2
