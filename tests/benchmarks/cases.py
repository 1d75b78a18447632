"""What is measured: each function returns rows of a table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import peers
from _measure import Data, Row, batches, make_data, medians, once, peak_megabytes

from sknc import ClassStatistics, NearestClassCenter, NeuralCollapseAnalyzer
from sknc.estimators._scoring.head_rule import head_rule
from sknc.head import LinearHead
from sknc.metrics import TABLE
from sknc.statistics._moments import Moments
from sknc.statistics.affine_rule import decide_all
from sknc.statistics.nearest_center import nearest_center_rule

_MEANS_AND_HEAD = [key for key, metric in TABLE.items() if metric.headline]


def accumulate(data: Data, size: int, **options: bool) -> ClassStatistics:
    """Fit batches of a size, with the classes named."""
    analyzer = NeuralCollapseAnalyzer(**options)
    classes = np.arange(data.n_classes)
    for X, y in batches(data, size):
        analyzer.partial_fit(X, y, classes=classes)
    return analyzer.statistics_


def accumulation(quick: bool) -> Iterator[Row]:
    """`partial_fit` against one product, or one sum, of all rows."""
    shapes = [(50_000, 512, 10), (50_000, 512, 1_000), (20_000, 2_048, 1_000)]
    for shape in shapes[:1] if quick else shapes:
        data = make_data(*shape)
        for size, bar in ((4_096, 1.5), (1_024, None), (128, 2.5)):
            ours, product = medians(
                3 if quick else 7,
                lambda size=size: accumulate(data, size),
                lambda: data.X.T @ data.X,
            )
            name = f"`partial_fit`, batches of {size}"
            yield Row(name, data.shape, ours, "`X.T @ X`", product, bar)
        ours, total = medians(
            3 if quick else 15,
            lambda: accumulate(data, 4_096, covariance=False),
            lambda: data.X.sum(axis=0),
        )
        bar = 5 if shape == shapes[0] else None
        name = "`partial_fit`, `covariance=False`, batches of 4096"
        yield Row(name, data.shape, ours, "`X.sum(axis=0)`", total, bar)


def reports(quick: bool) -> Iterator[Row]:
    """Fit and report against `neural_collapse` and `nc_toolbox`."""
    if peers.available("neural_collapse"):
        yield from _reports(quick)
    if peers.available("nc_toolbox"):
        data = make_data(*((5_000, 64, 10) if quick else (50_000, 512, 10)))
        ours, theirs = medians(
            1 if quick else 3,
            lambda: fit_and_score(data),
            peers.NcToolbox(data).everything,
        )
        name = "`nc_toolbox`, all samples at once"
        yield Row("fit + `score()`", data.shape, ours, name, theirs)


def _reports(quick: bool) -> Iterator[Row]:
    cases = [
        ((50_000, 512, 10), None, 1 / 3, 1 / 2, 7),
        ((50_000, 512, 1_000), None, 1 / 8, 1 / 3, 3),
        ((50_000, 512, 1_000), 64, None, None, 3),
        ((20_000, 2_048, 1_000), None, 1 / 6, 1 / 3, 1),
        ((20_000, 2_048, 1_000), 64, None, None, 1),
    ]
    for shape, tile, bar, whole_bar, repeats in cases[:1] if quick else cases:
        data = make_data(*shape)
        peer = peers.NeuralCollapseLibrary(data, tile=tile)
        ours, theirs = medians(
            repeats, lambda: fit_and_report(data), peer.means_and_variances
        )
        tiled = f", `tile_size={tile}`" if tile else ""
        reference = f"two passes and measures{tiled}"
        yield Row("fit + `report()`", data.shape, ours, reference, theirs, bar)
        if tile is None:
            # What no single pass with a scatter can go below.
            product, theirs = medians(
                repeats, lambda: data.X.T @ data.X, peer.means_and_variances
            )
            yield Row("one `X.T @ X` alone", data.shape, product, reference, theirs)
        ours, theirs = medians(repeats, lambda: fit_and_score(data), peer.everything)
        reference = f"three passes and measures{tiled}"
        yield Row("fit + `score()`", data.shape, ours, reference, theirs, whole_bar)
    if not quick:
        yield _vocabulary()


def _vocabulary() -> Row:
    data = make_data(8_192, 768, 20_000, zipf=True)
    peer = peers.NeuralCollapseLibrary(data, tile=64)
    ours = once(lambda: fit_and_report(data))
    # Its pairs of 20 000 classes would take ten minutes.
    theirs = peer.seconds_of_means_and_variances(first=2_000)
    reference = "two passes and measures, `tile_size=64`, pairs of 2 000 classes × 100"
    shape = f"{data.shape} Zipf"
    return Row("fit + `report()`", shape, ours, reference, theirs, 1 / 50)


def fit_and_report(data: Data) -> object:
    """Accumulate in batches of 4096, and report NC0 to NC3."""
    return _fitted(data).report()


def fit_and_score(data: Data) -> object:
    """Accumulate in batches of 4096, and score the same batches."""
    return _fitted(data).score_batches(batches(data, 4_096))


def _fitted(data: Data) -> NeuralCollapseAnalyzer:
    analyzer = NeuralCollapseAnalyzer((data.W, data.b))
    return analyzer.fit_batches(batches(data, 4_096), classes=range(data.n_classes))


def decisions(quick: bool) -> Iterator[Row]:
    """NC4 against its two products; `predict` against scikit-learn and FAISS."""
    shapes = [(50_000, 512, 1_000), (20_000, 2_048, 1_000)]
    for shape in shapes[:1] if quick else shapes:
        data = make_data(*shape)
        statistics = ClassStatistics.from_samples(data.X, data.y, covariance=False)
        nearest = nearest_center_rule(statistics)
        head = LinearHead(data.W.astype(float), data.b.astype(float))
        rules = (nearest, head_rule(head, nearest))
        centers = statistics.class_means.astype(np.float32)

        def products(data: Data = data, centers: np.ndarray = centers) -> None:
            for X, _ in batches(data, 4_096):
                X @ data.W.T
                X @ centers.T

        def ours(data: Data = data, rules: tuple = rules) -> None:
            for X, _ in batches(data, 4_096):
                decide_all(rules, X)

        mine, bare = medians(1 if quick else 5, ours, products)
        name = "NC4 part of `score`"
        yield Row(name, data.shape, mine, "two bare products", bare, 1.3)
    yield from _predictions(quick)


def _predictions(quick: bool) -> Iterator[Row]:
    from sklearn.neighbors import NearestCentroid

    for shape, bar in (((20_000, 512, 1_000), 1.2), ((20_000, 512, 20_000), 1.4)):
        if quick and shape[2] > 1_000:
            continue
        data = make_data(*shape)
        model = NearestClassCenter().fit(data.X, data.y)
        repeats = 1 if quick else 5
        name = "`NearestClassCenter.predict`"
        if shape[2] == 1_000:
            peer = NearestCentroid().fit(data.X, data.y)
            ours, theirs = medians(
                repeats,
                lambda model=model, data=data: model.predict(data.X),
                lambda peer=peer, data=data: peer.predict(data.X),
            )
            yield Row(name, data.shape, ours, "`NearestCentroid`", theirs, 0.5)
        if peers.available("faiss"):
            index = peers.faiss_index(model.class_means_)
            ours, theirs = medians(
                repeats,
                lambda model=model, data=data: model.predict(data.X),
                lambda index=index, data=data: index.search(data.X, 1),
            )
            yield Row(name, data.shape, ours, "`faiss.IndexFlatL2`", theirs, bar)


def fits(quick: bool) -> Iterator[Row]:
    """One pass of class means and variances against scikit-learn's estimators."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import NearestCentroid

    data = make_data(*((20_000, 64, 10) if quick else (200_000, 64, 10)))
    classes = np.arange(data.n_classes)

    def bayes() -> None:
        model = GaussianNB()
        for X, y in batches(data, 4_096):
            model.partial_fit(X, y, classes=classes)

    names = ("`GaussianNB.partial_fit`", "`NearestCentroid`", "`LDA` (lsqr)")
    ours, *theirs = medians(
        1 if quick else 5,
        lambda: accumulate(data, 4_096),
        bayes,
        lambda: NearestCentroid().fit(data.X, data.y),
        lambda: LinearDiscriminantAnalysis("lsqr").fit(data.X, data.y),
    )
    for name, seconds in zip(names, theirs, strict=True):
        what = "`partial_fit`, batches of 4096"
        yield Row(what, data.shape, ours, name, seconds)


@dataclass(frozen=True)
class _Case:
    """Something to time and to weigh, with its bars."""

    what: str
    size: str
    run: Callable[[], object]
    repeats: int
    most_seconds: float | None
    most_megabytes: float | None

    def cells(self) -> list[str]:
        """Measure, and return a row of the table."""
        (seconds,) = medians(self.repeats, self.run)
        megabytes = peak_megabytes(self.run)
        met = seconds <= (self.most_seconds or np.inf)
        met = met and megabytes <= (self.most_megabytes or np.inf)
        bars = [
            f"{bar:g} {unit}"
            for bar, unit in ((self.most_seconds, "s"), (self.most_megabytes, "MB"))
            if bar is not None
        ]
        return [
            self.what,
            self.size,
            f"{seconds:.3g} s",
            f"{megabytes:.0f} MB above the state",
            ", ".join(bars),
            "met" if met else "**missed**",
        ]


def many_classes(quick: bool) -> Iterator[list[str]]:
    """Seconds and memory of reports at many classes."""
    k, d = (200, 256) if quick else (1_000, 2_048)
    fitted = given_means(k, d, scatter=True)
    head = LinearHead(fitted.class_means + 0.1, None)
    size = f"K = {k}, D = {d}"
    yield _Case(
        "headline report with a head", size, lambda: _report(fitted, head), 5, 1, None
    ).cells()
    yield from _whole_table(quick)
    k, d = (2_000, 64) if quick else (50_257, 768)
    means = given_means(k, d, scatter=False)
    size = f"K = {k}, D = {d}"
    yield _Case(
        "headline report, means given", size, lambda: _report(means, None), 1, 60, 500
    ).cells()
    energies = ["gnc2_energy_log", "gnc2_energy_riesz", "gnc2_dispersion_distance"]
    yield _Case(
        "pairwise energies, means given",
        size,
        lambda: _report(means, None, energies),
        1,
        None,
        500,
    ).cells()


def _whole_table(quick: bool) -> Iterator[list[str]]:
    """Yield the cost of every metric there is, of classes and of samples."""
    k = 100 if quick else 1_000
    data = make_data(20 * k, 512, k)
    analyzer = NeuralCollapseAnalyzer((data.W, data.b), metrics="all")
    analyzer.fit(data.X, data.y).statistics_  # noqa: B018  all is summed
    statistics, head = analyzer.statistics_, LinearHead(data.W.astype(float), None)
    size = f"K = {k}, D = 512"
    yield _Case(
        'report, `metrics="all"`', size, lambda: _report(statistics, head, "all"), 3,
        5, 1_000,
    ).cells()  # fmt: skip
    yield _Case(
        f'score of {20 * k} samples, `metrics="all"`',
        size,
        lambda: analyzer.score(data.X, data.y),
        3,
        5,
        1_000,
    ).cells()


def _report(
    statistics: ClassStatistics,
    head: LinearHead | None,
    metrics: str | list[str] = "default",
) -> object:
    from sknc import Convention
    from sknc.report._building import Inputs, build_report

    # A copy, so that nothing is left from the run before.
    fresh = replace(statistics)
    head = None if head is None else replace(head)
    agreed = Convention.preset("default")
    return build_report(Inputs(fresh, agreed, head), metrics)


def given_means(k: int, d: int, *, scatter: bool) -> ClassStatistics:
    """Return statistics with random class means, of ten samples a class."""
    rng = np.random.default_rng(0)
    sums = rng.standard_normal((k, d))
    squares = 10 * d * (0.5 + rng.random(k))
    square = None
    if scatter:
        half = rng.standard_normal((2 * d, d))
        square = half.T @ half * (5 * k / d) + sums.T @ sums / 10
    anchors = rng.standard_normal((k, d))
    moments = Moments(np.full(k, 10), anchors, sums, squares, square)
    return ClassStatistics(np.arange(k), moments, 10 * k, "float64")


def growth(quick: bool) -> dict[str, tuple[list[int], list[float]]]:
    """Microseconds a row by number of rows, and by number of classes."""
    rows = [5_000, 20_000] if quick else [12_500, 25_000, 50_000, 100_000, 200_000]
    classes = [10, 100] if quick else [10, 100, 1_000, 5_000, 20_000, 50_257]
    by_rows, by_classes = [], []
    for n in rows:
        data = make_data(n, 256, 100)
        seconds = medians(3, lambda data=data: accumulate(data, 4_096))[0]
        by_rows.append(1e6 * seconds / n)
    for k in classes:
        data = make_data(60_000 if not quick else 5_000, 256, k, zipf=True)
        seconds = medians(3, lambda data=data: accumulate(data, 4_096))[0]
        by_classes.append(1e6 * seconds / len(data.X))
    return {"rows": (rows, by_rows), "classes": (classes, by_classes)}


def vocabulary_fit(quick: bool) -> Iterator[list[str]]:
    """Accumulation at vocabulary-sized K, with its memory."""
    cases = [(40_000, 768, 20_000, True), (100_000, 4_096, 50_257, False)]
    for n, d, k, covariance in cases:
        if quick:
            n, d, k = n // 20, d // 8, k // 20
        data = make_data(n, d, k, zipf=True)
        found: list[ClassStatistics] = []

        def run(data: Data = data, covariance: bool = covariance) -> None:
            found[:] = [accumulate(data, 4_096, covariance=covariance)]

        seconds = once(run)
        moments = found[0].moments
        arrays = (moments.anchors, moments.sums, moments.squares, moments.scatter)
        state = sum(a.nbytes for a in arrays if a is not None) / 2**20
        yield [
            f"`partial_fit`, `covariance={covariance}`",
            f"{data.shape} Zipf",
            f"{seconds:.3g} s",
            f"{1e6 * seconds / n:.3g} µs",
            f"{state:.0f} MB of state",
        ]
