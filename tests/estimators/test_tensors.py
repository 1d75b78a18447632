"""Tensors that are no plain arrays of numbers are refused, with what to do about it."""

import numpy as np
import pytest

from sknc import NearestClassCenter, NeuralCollapseAnalyzer

torch = pytest.importorskip("torch")

Y = torch.arange(15) % 3
X = torch.as_tensor(np.random.default_rng(0).normal(size=(15, 3))) + Y[:, None]
W = torch.ones(15)


def masked(tensor):
    return torch.masked.masked_tensor(tensor, tensor > -9)


UNUSUAL = {
    "sparse": (lambda x: x.to_sparse(), r"Pass tensor\.to_dense\(\)\."),
    "meta": (lambda x: x.to("meta"), "It has no data: move the model and its inputs"),
    "masked": (masked, "Drop the masked rows, with their labels"),
    "nested": (
        lambda x: torch.nested.nested_tensor([x, x], layout=torch.jagged),
        r"Pass torch\.cat\(tensor\.unbind\(\)\), with one label per row",
    ),
    "quantized": (
        lambda x: torch.quantize_per_tensor(x.float(), 0.1, 0, torch.qint8),
        r"Pass tensor\.dequantize\(\)",
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # of torch about its prototypes
@pytest.mark.parametrize("kind", UNUSUAL)
@pytest.mark.parametrize("what", ["X", "y", "sample_weight"])
def test_unusual_tensors(kind, what):
    make, remedy = UNUSUAL[kind]
    arguments = {"X": X, "y": Y, "sample_weight": W}
    arguments[what] = make(arguments[what])
    text = f"{what} must be a dense tensor, got a {kind} one. {remedy}"
    for estimator in (NeuralCollapseAnalyzer().fit(X, Y), NearestClassCenter()):
        with pytest.raises(ValueError, match=text):
            estimator.fit(**arguments)
    if what == "X":
        with pytest.raises(ValueError, match=text):
            NearestClassCenter().fit(X, Y).predict(arguments["X"])


def test_complex_tensor():
    with pytest.raises(ValueError, match=r"not supported: .* torch\.hstack\(\[X\.real"):
        NeuralCollapseAnalyzer().fit(X + 1j, Y)


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2", "uint8", "int16"])
def test_narrow_dtypes_have_the_numbers_of_wide_ones(name):
    if not hasattr(torch, name):
        pytest.skip("this torch is older")
    narrow = (4 * X.abs()).to(getattr(torch, name))
    wide = narrow.to(torch.float32 if "float" in name else torch.float64)
    found, expected = (
        NeuralCollapseAnalyzer(metrics="all", head=(X[:3], None)).fit(each, Y)
        for each in (narrow, wide)
    )
    np.testing.assert_equal(found.report().to_dict(), expected.report().to_dict())
    scores = found.score(narrow, Y), expected.score(wide, Y)
    np.testing.assert_equal(*(score.to_dict() for score in scores))
    for method in ("transform", "neco_score"):
        assert torch.equal(getattr(found, method)(narrow), getattr(found, method)(wide))


def test_default_device_does_not_matter():
    def values():
        analyzer = NeuralCollapseAnalyzer(metrics="all", head=(X[:3], None))
        return analyzer.fit(X, Y, W).score(X, Y, W).to_dict()

    expected = values()
    torch.set_default_device("meta")
    try:
        np.testing.assert_equal(values(), expected)
    finally:
        torch.set_default_device("cpu")


def test_strings_of_variable_width():
    if not hasattr(np.dtypes, "StringDType"):
        pytest.skip("this NumPy is older")
    names = np.array(["cat", "a dog", "b"])
    labels = names.astype(np.dtypes.StringDType())[Y.numpy()]
    found = NeuralCollapseAnalyzer().fit(X.numpy(), labels)
    assert found.classes_.tolist() == sorted(names)
    assert found.score(X.numpy(), names[Y.numpy()]).n_samples == 15
