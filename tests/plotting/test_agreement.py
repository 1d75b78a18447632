"""Where head and nearest center differ, by class and by pair."""

import numpy as np
import pytest
from class_figures import make_fitted
from scipy import sparse

from sknc import (
    AgreementDisplay,
    NearestClassCenter,
    NeuralCollapseAnalyzer,
)


@pytest.fixture
def disagreeing():
    """An analyzer, samples and labels on which head and centers differ."""
    return make_fitted(6, 8, 1.0, 40, labels=list("abcdef"))


class TestAgreement:
    def test_numbers(self, disagreeing):
        analyzer, X, y = disagreeing
        chosen = analyzer.classes_[
            np.argmax(X @ analyzer.head[0].T + analyzer.head[1], 1)
        ]
        centers = analyzer.class_means_
        distances = np.linalg.norm(X[:, None] - centers[None], axis=-1)
        nearest = analyzer.classes_[distances.argmin(axis=1)]
        differ = chosen != nearest
        assert differ.sum() > 20
        expected = [differ[y == label].mean() for label in "abcdef"]
        for display in (
            AgreementDisplay.from_estimator(analyzer, X, y),
            AgreementDisplay.from_report(analyzer.score(X, y)),
            AgreementDisplay.from_agreement(
                NearestClassCenter().fit(X, y).agreement(X, analyzer.head, y)
            ),
        ):
            np.testing.assert_allclose(display.mismatch, expected)
            assert display.classes.tolist() == list("abcdef")
            assert display.total == pytest.approx(differ.mean())
            assert display.by == "true class"

    def test_bars(self, disagreeing, pyplot):
        analyzer, X, y = disagreeing
        display = AgreementDisplay.from_estimator(analyzer, X, y).plot()
        order = np.argsort(-display.mismatch, kind="stable")
        widths = [bar.get_width() for bar in display.ax_.patches]
        np.testing.assert_allclose(widths, display.mismatch[order])
        names = [label.get_text() for label in display.ax_.get_yticklabels()]
        assert names == [*display.classes[order]]
        notes = [text.get_text() for text in display.ax_.texts]
        counts = [round(share * 40) for share in display.mismatch[order]]
        assert notes == [f"{count} of 40" for count in counts]
        assert display.ax_.yaxis_inverted()
        (line,) = display.ax_.lines
        assert line.get_xdata() == [display.total] * 2
        assert display.ax_.get_title("left") == "Head and nearest center differ"
        assert max(display.ax_.get_xticks()) <= 1

    def test_pairs(self, disagreeing, pyplot):
        analyzer, X, y = disagreeing
        report = NearestClassCenter().fit(X, y).agreement(X, analyzer.head, y)
        display = AgreementDisplay.from_agreement(report).plot(kind="pair")
        table = report.contingency.toarray() * (1 - np.eye(6, dtype=int))
        widths = [bar.get_width() for bar in display.ax_.patches]
        assert widths == sorted(table[table > 0], reverse=True)[: len(widths)]
        first = display.ax_.get_yticklabels()[0].get_text().split(" / ")
        row, column = ("abcdef".index(name) for name in first)
        assert table[row, column] == table.max()
        assert not display.ax_.lines
        assert display.ax_.get_ylabel() == "head / nearest center"

    def test_without_labels(self, disagreeing, pyplot):
        analyzer, X, y = disagreeing
        report = NearestClassCenter().fit(X, y).agreement(X, analyzer.head)
        display = AgreementDisplay.from_agreement(report).plot()
        assert display.ax_.get_ylabel() == "class chosen by the head"
        assert display.counts.sum() == len(X)

    def test_many_classes(self, pyplot):
        mismatch = np.zeros(1000)
        mismatch[[5, 7, 400]] = 0.1, 0.3, 0.2
        display = AgreementDisplay(mismatch).plot()
        names = [label.get_text() for label in display.ax_.get_yticklabels()]
        assert names == ["7", "400", "5"]
        title = "Head and nearest center differ\nin 3 of 1,000 classes"
        assert display.ax_.get_title("left") == title
        display = AgreementDisplay(np.linspace(0, 1, 1000)).plot()
        assert display.n_rows_ == 20
        title = "Head and nearest center differ\nthe 20 highest of 1,000 classes"
        assert display.ax_.get_title("left") == title
        assert display.plot(max_rows=5).n_rows_ == 5
        _, ax = pyplot.subplots(figsize=(4, 2))
        assert 3 <= display.plot(ax).n_rows_ < 12

    def test_classes_without_samples(self, pyplot):
        analyzer, X, y = make_fitted(4, spread=1.0, labels=list("abcd"))
        keep = y != "b"
        display = AgreementDisplay.from_estimator(analyzer, X[keep], y[keep]).plot()
        assert np.isnan(display.mismatch[1])
        assert display.ax_.get_yticklabels()[-1].get_text() == "b"
        assert display.ax_.texts[-1].get_text() == "no samples"
        # Where not all classes fit, there is no room for those without samples.
        few = AgreementDisplay([np.nan, 0.5, 0.1, np.nan]).plot(max_rows=3)
        assert few.n_rows_ == 2

    def test_agreement_on_every_sample(self, pyplot):
        display = AgreementDisplay([0.0, 0.0], total=0.0)
        assert display.alt_text.endswith("They agree on every sample.")
        assert display.plot().n_rows_ == 2
        table = sparse.csr_array(np.diag([3, 4]))
        display = AgreementDisplay([0.0, 0.0], contingency=table).plot(kind="pair")
        assert [text.get_text() for text in display.ax_.texts] == ["on no sample"]

    def test_weights(self, disagreeing, pyplot):
        analyzer, X, y = disagreeing
        weights = np.random.default_rng(0).uniform(0.5, 2, len(y))
        display = AgreementDisplay.from_report(analyzer.score(X, y, weights)).plot()
        largest = f"{display.mismatch.max():.3f}"
        assert display.ax_.texts[0].get_text() == largest

    def test_alternative_text(self):
        display = AgreementDisplay([0.5, 0.0, np.nan, 0.25], list("abcd"), total=0.3)
        assert display.alt_text == (
            "Shares of samples on which head and nearest class center differ, by true "
            "class. All samples: 0.3. They differ in 2 of 4 classes, most in a (0.5), "
            "d (0.25)."
        )

    def test_styles(self, pyplot):
        display = AgreementDisplay([0.5, 0.1], total=0.3)
        display.plot(bar_kw={"color": "C2"}, total_kw={"color": "C3"})
        from matplotlib.colors import to_rgba

        assert display.ax_.patches[0].get_facecolor() == to_rgba("C2")
        assert display.ax_.lines[0].get_color() == "C3"

    def test_report_without_decisions(self):
        analyzer, X, y = make_fitted(3)
        match = r"no decisions of a head\. Create it with NeuralCollapseA"
        for report in (
            analyzer.report(),
            NeuralCollapseAnalyzer().fit(X, y).score(X, y),
        ):
            with pytest.raises(ValueError, match=match):
                AgreementDisplay.from_report(report)

    def test_other_reports(self):
        analyzer, X, y = make_fitted(3)
        report = analyzer.score(X, y)
        agreement = NearestClassCenter().fit(X, y).agreement(X, analyzer.head)
        with pytest.raises(TypeError, match=r"NCReport\. Use from_report for this"):
            AgreementDisplay.from_agreement(report)
        with pytest.raises(TypeError, match="from_agreement for this one"):
            AgreementDisplay.from_report(agreement)
        with pytest.raises(TypeError, match=r"expected an NCReport, got 0\.5\."):
            AgreementDisplay.from_report(0.5)

    @pytest.mark.parametrize(
        ("arguments", "options", "message"),
        [
            ([[0.5, 1.5]], {}, r"mismatch must be shares in \[0, 1\], got 1.5"),
            (
                [[[0.5]]],
                {},
                r"mismatch must have one share per class, .* shape \(1, 1",
            ),
            ([[]], {}, r"mismatch must have one share per class"),
            ([[0.5]], {"counts": [1, 2]}, r"counts must have shape \(1,\), got \(2,\)"),
            (
                [[0.5]],
                {"contingency": sparse.csr_array(np.eye(2))},
                r"contingency must have shape \(1, 1\), got \(2, 2\)",
            ),
        ],
    )
    def test_wrong_arrays(self, arguments, options, message):
        with pytest.raises(ValueError, match=message):
            AgreementDisplay(*arguments, **options)

    def test_wrong_choices(self, pyplot):
        display = AgreementDisplay([0.5])
        with pytest.raises(ValueError, match='kind must be "class" or "pair", got 3'):
            display.plot(kind=3)
        with pytest.raises(ValueError, match="max_rows must be at least 1, got 0"):
            display.plot(max_rows=0)
        match = r"has no pairs of decisions\. Create it with AgreementDisplay\.from"
        with pytest.raises(ValueError, match=match):
            display.plot(kind="pair")
