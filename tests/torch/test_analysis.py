"""A model and a loader in, reports out: equal to the estimator fed by hand."""

import inspect
import pickle
import tempfile
import warnings
from collections import UserDict
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import networks  # noqa: E402
from networks import K  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from sknc import NCReport, NeuralCollapseAnalyzer  # noqa: E402
from sknc.torch import Analysis, Monitor, analyze  # noqa: E402

D = 12
GENERATOR = torch.Generator().manual_seed(0)
Y = torch.arange(70) % K
X = torch.randn(70, D, generator=GENERATOR) + 2 * torch.eye(D)[Y]
X_TEST = torch.randn(30, D, generator=GENERATOR) + 2 * torch.eye(D)[Y[:30]]
LOADER = DataLoader(TensorDataset(X, Y), 16)
TEST = DataLoader(TensorDataset(X_TEST, Y[:30]), 16)
IMAGES = torch.randn(40, 3, 8, 8, generator=GENERATOR)


def by_hand(model, features, loader, test=None, **options):
    """Return the reports of the estimator, fed with the features of each batch."""
    training = [part.training for part in model.modules()]
    model.eval()
    with torch.no_grad():
        batches = [(features(x), y) for x, y in loader]
        others = None if test is None else [(features(x), y) for x, y in test]
    for part, mode in zip(model.modules(), training, strict=True):
        part.training = mode
    head = list(model.modules())[-1]
    analyzer = NeuralCollapseAnalyzer(head, **options).fit_batches(batches)
    train = analyzer.score_batches(batches)
    return train, None if others is None else analyzer.score_batches(others)


def same(a, b):
    """Whether two reports are equal, bit for bit, with all that is behind them."""
    return a.to_json() == b.to_json()


def test_defaults_are_those_of_the_estimator():
    want = inspect.signature(NeuralCollapseAnalyzer).parameters
    names = {"metrics", "convention", "covariance", "n_jackknife"}
    for function, missing in ((analyze, set()), (Monitor, {"n_jackknife"})):
        found = inspect.signature(function).parameters
        assert names - found.keys() == missing
        for name in names - missing:
            assert found[name].default == want[name].default, name


MODELS = {
    "mlp": (networks.mlp, lambda m: m[:-1], LOADER),
    "resnet": (
        networks.ResNet,
        lambda m: lambda x: m.stages(m.stem(x)).mean((2, 3)),
        DataLoader(TensorDataset(IMAGES, Y[:40]), 16),
    ),
}


@pytest.mark.parametrize("cache", [2**30, 2000, 0, "none"])
@pytest.mark.parametrize("name", MODELS)
def test_equals_the_estimator_fed_by_hand_bit_for_bit(name, cache):
    make, features, loader = MODELS[name]
    model = make()
    found = analyze(model, loader, held_out=loader, cache=cache)
    train, test = by_hand(model, features(model), loader, loader)
    assert same(found.train, train)
    assert same(found.held_out, test)
    assert {"nc0_weight_sum", "nc1_pinv", "nc2_etf", "nc3_self_duality"} < set(
        found.train.keys()
    )
    assert "nc4_mismatch" in found.train.keys()  # noqa: SIM118
    assert found.n_passes == (2 if cache == "none" else 1)


@pytest.mark.parametrize(
    "options",
    [
        {"metrics": "all"},
        {"metrics": ["NC1"], "convention": "papyan2020", "covariance": False},
        {"n_jackknife": 4},
    ],
    ids=["all", "no covariance", "jackknife"],
)
def test_options_are_those_of_the_estimator(options):
    model = networks.mlp()
    found = analyze(model, LOADER, held_out=TEST, **options)
    train, test = by_hand(model, model[:-1], LOADER, TEST, **options)
    assert same(found.train, train)
    assert same(found.held_out, test)


def test_result():
    model = networks.mlp()
    found = analyze(model, LOADER)
    assert isinstance(found, Analysis)
    assert isinstance(found.train, NCReport)
    assert found.held_out is None
    assert found.head_name == "3"
    assert found.notes == ()
    with pytest.raises(AttributeError):
        found.train = None
    before = found.analyzer.report().to_json()
    nn.init.ones_(model[3].weight)  # trained further
    assert found.analyzer.report().to_json() == before
    assert same(pickle.loads(pickle.dumps(found)).train, found.train)


def test_metrics_are_in_the_reports():
    found = analyze(networks.mlp(), LOADER)
    with pytest.raises(AttributeError, match=r"write analysis\.train\.nc1_cdnv\.$"):
        _ = found.nc1_cdnv
    both = analyze(networks.mlp(), LOADER, held_out=LOADER)
    match = r"write analysis\.train\.nc1_cdnv or analysis\.held_out\.nc1_cdnv\.$"
    with pytest.raises(AttributeError, match=match):
        _ = both.nc1_cdnv
    match = "'Analysis' object has no attribute 'trian'"
    with pytest.raises(AttributeError, match=match) as error:
        _ = found.trian
    assert (error.value.name, error.value.obj) == ("trian", found)  # for a suggestion


def test_model_runs_once_over_each_loader():
    model, n_rows = networks.mlp(), []
    model.register_forward_hook(lambda m, args, out: n_rows.append(len(out)))
    analyze(model, LOADER, held_out=TEST)
    assert sum(n_rows) == 70 + 30
    n_rows.clear()
    analyze(model, LOADER, held_out=TEST, cache="none")
    assert sum(n_rows) == 2 * 70 + 30


WRAPPED = {
    "compiled": lambda m: torch.compile(m, backend="eager"),
    "data parallel": nn.DataParallel,
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_wrapped_models(kind):
    model = networks.mlp()
    wrapped = WRAPPED[kind](model)
    wrapped(X)
    assert same(analyze(wrapped, LOADER).train, analyze(model, LOADER).train)


def test_distributed_data_parallel(one_process):
    model = networks.mlp()
    wrapped = nn.parallel.DistributedDataParallel(model)
    assert same(analyze(wrapped, LOADER).train, analyze(model, LOADER).train)


def test_sharded_model(one_process):
    fsdp = pytest.importorskip("torch.distributed.fsdp")
    if not hasattr(fsdp, "fully_shard"):
        pytest.skip("this torch has no fully_shard")
    model = networks.mlp()
    wanted = analyze(model, LOADER).train
    mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (1,))
    fsdp.fully_shard(model[3], mesh=mesh)
    fsdp.fully_shard(model, mesh=mesh)
    assert same(analyze(model, LOADER).train, wanted)


def test_quantized_model():
    model = networks.Net().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch is about to move this function
        small = torch.ao.quantization.quantize_dynamic(model, dtype=torch.qint8)
    found, wanted = analyze(small, LOADER).train, analyze(model, LOADER).train
    assert found.nc1_cdnv == pytest.approx(wanted.nc1_cdnv, rel=0.02)
    assert found.nc3_self_duality == pytest.approx(wanted.nc3_self_duality, rel=0.005)


@pytest.mark.filterwarnings("ignore")  # of torch.export about itself
def test_exported_model_is_refused():
    exported = torch.export.export(networks.Net().eval(), (X,)).module()
    with pytest.raises(
        TypeError,
        match=r"^The model cannot be put into evaluation mode: .* Pass the original "
        r"module, before export\.$",
    ):
        analyze(exported, LOADER)


def test_convolution_that_is_pooled_afterwards():
    pooled_late = nn.Sequential(*networks.dense_maps(), nn.AdaptiveAvgPool2d(1))
    pooled_late.append(nn.Flatten())
    loader = [(IMAGES, Y[:40])]
    with pytest.raises(
        ValueError, match=r"'2' \(Conv2d, 8 to 5: its output is not the"
    ):
        analyze(pooled_late, loader)
    parts = list(pooled_late)
    pooled_first = nn.Sequential(*parts[:2], parts[3], parts[2], parts[4]).eval()
    found = analyze(pooled_first, loader)
    assert found.head_name == "3"
    with torch.no_grad():
        right = (pooled_late.eval()(IMAGES).argmax(1) == Y[:40]).double().mean()
    assert found.train.nc4_head_accuracy == pytest.approx(float(right))


def test_named_head():
    model = networks.TwoHeads()
    with pytest.raises(ValueError, match="The model has several heads"):
        analyze(model, LOADER)
    found = analyze(model, [(X, Y % 3)], head="other")
    reference = NeuralCollapseAnalyzer(model.other)
    features = model.features(X).detach()
    reference.fit(features, Y % 3)
    assert same(found.train, reference.score(features, Y % 3))
    assert found.head_name == "other"


def test_cosine_head_is_refused_with_candidates():
    model = nn.Sequential(nn.Linear(D, 16), nn.ReLU(), networks.Cosine(16, K))
    with pytest.raises(ValueError, match=r"Candidates .*'2' \(Cosine, .*head='\.\.\.'"):
        analyze(model, LOADER)


# Batches ------------------------------------------------------------------------


class Keywords(networks.Net):
    """Takes its inputs by name, as models of transformers do."""

    def forward(self, x, scale=None):
        return super().forward(x if scale is None else x * scale)


class TwoInputs(networks.Net):
    def forward(self, x, scale):
        return super().forward(x * scale)


SCALE = torch.full((70, 1), 0.5)
FORMS = {
    "list": (networks.Net, [[X, Y]], X, {}),
    "numpy labels": (networks.Net, [(X, Y.numpy())], X, {}),
    "list of labels": (networks.Net, [(X, Y.tolist())], X, {}),
    "column of labels": (networks.Net, [(X, Y[:, None])], X, {}),
    "bytes": (networks.Net, [(X, Y.to(torch.uint8))], X, {}),
    "mapping": (Keywords, [{"x": X, "labels": Y}], X, {}),
    "label": (Keywords, [{"x": X, "scale": SCALE, "label": Y}], X * SCALE, {}),
    "user dict": (Keywords, [UserDict(x=X, labels=Y)], X, {}),
    "inputs by name": (Keywords, [({"x": X, "scale": SCALE}, Y)], X * SCALE, {}),
    "two inputs": (TwoInputs, [((X, SCALE), Y)], X * SCALE, {}),
    "unpack": (
        networks.Net,
        [(X, "names", Y)],
        X,
        {"unpack": lambda batch: (batch[0], batch[2])},
    ),
    "unpack by name": (
        Keywords,
        [(X, Y, SCALE)],
        X * SCALE,
        {"unpack": lambda batch: ({"x": batch[0], "scale": batch[2]}, batch[1])},
    ),
    "iterator": (networks.Net, iter([(X, Y)]), X, {}),
    "ignored": (
        networks.Net,
        [(torch.cat([X, X[:3]]), torch.cat([Y, torch.full((3,), -100)]))],
        X,
        {},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_batches(form):
    make, loader, inputs, options = FORMS[form]
    torch.manual_seed(0)
    model = make()
    found = analyze(model, loader, **options)
    reference = NeuralCollapseAnalyzer(model.head)
    with torch.no_grad():
        features = model.features(inputs)
    if form == "ignored":
        with torch.no_grad():
            features = model.features(loader[0][0])[:70]
    assert same(found.train, reference.fit(features, Y).score(features, Y))


def test_weights_of_samples():
    model, weights = networks.Net(), torch.rand(70, generator=GENERATOR)
    found = analyze(model, [(X, Y, weights)], unpack=lambda batch: batch)
    features = model.features(X).detach()
    reference = NeuralCollapseAnalyzer(model.head).fit(features, Y, weights)
    assert same(found.train, reference.score(features, Y, weights))


def test_one_row_for_two_classes():
    model = nn.Sequential(nn.Linear(D, 16), nn.ReLU(), nn.Linear(16, 1))
    y = Y % 2
    found = analyze(model, [(X, y > 0)])
    features = model[:-1](X).detach()
    reference = NeuralCollapseAnalyzer(model[2]).fit(features, y)
    assert same(found.train, reference.score(features, y))


def test_maps_have_a_label_a_place():
    model = networks.dense_maps()
    y = torch.randint(K, (40, 8, 8), generator=GENERATOR)
    y[:, 0] = -100
    found = analyze(model, [(IMAGES[i::2], y[i::2]) for i in range(2)])
    analyzer = NeuralCollapseAnalyzer(model[2])
    with torch.no_grad():
        features = model[:2](IMAGES).movedim(1, -1)
    batches = [
        (features[i::2][y[i::2] != -100], y[i::2][y[i::2] != -100]) for i in (0, 1)
    ]
    analyzer.fit_batches(batches)
    assert found.train.n_samples == 40 * 7 * 8
    assert same(found.train, analyzer.score_batches(batches))


def test_device_moves_inputs():
    model, seen = networks.Net(), []
    model.register_forward_pre_hook(lambda m, args: seen.append(args[0].device.type))
    with pytest.raises(Exception, match=r"meta|Tensor on device"):
        analyze(model, LOADER, device="meta")
    assert seen[-1] == "meta"
    analyze(model, LOADER, device="cpu")
    assert seen[-1] == "cpu"


@pytest.mark.gpu
@pytest.mark.parametrize("cache", [2**30, 0, "none"])
def test_on_a_gpu(cache):
    model = networks.mlp().cuda()
    before = torch.cuda.get_rng_state()
    found = analyze(model, LOADER, held_out=TEST, cache=cache)
    on_gpu = [(x.cuda(), y.cuda()) for x, y in LOADER]
    train, _ = by_hand(model, model[:-1], on_gpu)
    assert found.train.device.startswith("cuda")
    assert same(found.train, train)
    assert torch.equal(torch.cuda.get_rng_state(), before)


REFUSED = {
    "mixup": (
        [(X, torch.rand(70, K))],
        r"^Labels must be one integer class a sample, got float32 of shape \(70, 5\): "
        r"soft, one-hot or multi-label targets\. Use a loader without mixup or "
        r"label smoothing; for one-hot targets pass unpack=lambda batch: \(inputs, "
        r"labels\), with labels = batch\[1\]\.argmax\(1\)\.$",
    ),
    "one-hot": (
        [(X, torch.eye(K).long()[Y])],
        r"got int64 of shape \(70, 5\): soft, on",
    ),
    "multi-label": (
        [(X, torch.rand(70, K) > 0.5)],
        r"got bool of shape \(70, 5\): soft",
    ),
    "floats": (
        [(X, Y.float())],
        r"got float32 of shape \(70,\)\. If they are whole numbers, pass unpack=lambda "
        r"batch: \(inputs, labels\), with labels = batch\[1\]\.long\(\)\. Regression "
        r"targets have no classes\.$",
    ),
    "parts of mixup": (
        [(X, (Y, Y.flip(0), 0.3))],
        r"got 3 parts, as with mixup or several targets\. Use a loader without",
    ),
    "words": (
        [(X, ["cat"] * 70)],
        r"got a list that cannot become a tensor: .* from 0",
    ),
    "too few": (
        [(X, Y[:-1])],
        r"one integer class a sample, or a token: got int64 of shape \(69,\) for "
        r"features of shape \(70, 16\)\. If the model drops or adds positions, pass",
    ),
    "three parts": (
        [(X, Y, Y)],
        r"^The loader must yield \(inputs, labels\), or a mapping with 'labels', got 3 "
        r"parts\. For other batches pass a function that returns \(inputs, labels\), "
        r"for example unpack=lambda batch: \(batch\[0\], batch\[1\]\)\.$",
    ),
    "tensor": ([X], r"got a Tensor\. For other batches pass a function"),
    "one batch": ((X, Y), r"one batch, pass it in a list: \[\(inputs, labels\)\]\.$"),
    "no labels": (
        [{"x": X, "y": Y}],
        r"^A batch that is a mapping must have 'labels' or 'label', got \['x', 'y'\]\.",
    ),
    "two labels": ([{"labels": Y, "label": Y}], r"got \['labels', 'label'\]\."),
    "too large": (
        [(X, Y + 1)],  # as many labels as rows, which an estimator would take in order
        r"^Labels must be from 0 to 4, one for each row of the head, got \[5\]\. "
        r"Number them like the rows: unpack=lambda batch: \(inputs, labels\)\. Samples "
        r"without a class may have the label ignore_index\.$",
    ),
    "negative": ([(X, Y - 1)], r"from 0 to 4, one for each row .* head, got \[-1\]"),
    "nothing": (
        [],
        r"^The loader yields no labeled samples: expected at least one batch",
    ),
    "only padding": ([(X, 0 * Y - 100)], "The loader yields no labeled samples"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_measured_is_refused(case):
    loader, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        analyze(networks.Net(), loader)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"unpack": lambda batch: batch[0]},
            ValueError,
            r"^unpack must return \(inputs, labels\) or \(inputs, labels, sample_weight"
            r"\), got a Tensor\. Inputs are a tensor, a tuple",
        ),
        ({"unpack": lambda batch: (1, 2, 3, 4)}, ValueError, "got 4 parts"),
        (
            {"unpack": lambda batch: (*batch, torch.ones(3))},
            ValueError,
            r"Sample weights must be one a label: expected shape \(16,\), got \(3,\)\.",
        ),
        (
            {"cache": -1},
            ValueError,
            r"^cache must be a number of bytes of at least 0, or 'none' for a second "
            r"pass, got -1\.$",
        ),
        ({"cache": "all"}, ValueError, "got 'all'"),
        ({"cache": True}, ValueError, "got True"),
        (
            {"shift": True},
            ValueError,
            r"shift=True is for token models: .*\(16, 16\)",
        ),
        ({"head": "5"}, ValueError, "got '5'. Candidates: '0', '3'"),
        ({"progress": 3}, ValueError, "progress"),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        analyze(networks.mlp(), LOADER, **options)


def test_model_must_be_a_module():
    with pytest.raises(TypeError, match=r"model must be a torch\.nn\.Module, got func"):
        analyze(lambda x: x, LOADER)


@pytest.mark.parametrize("name", ["loader", "held_out"])
def test_loaders_must_be_iterable(name):
    loaders = {"loader": LOADER, name: 3}
    with pytest.raises(
        TypeError, match=rf"^{name} must be an iterable of .* got int\.$"
    ):
        analyze(networks.mlp(), **loaders)


def test_iterator_is_enough_for_one_pass_only():
    with pytest.raises(
        ValueError, match=r"^loader is an iterator, which can be read once, but cache="
    ):
        analyze(networks.mlp(), iter([(X, Y)]), cache="none")


def test_progress(capsys):
    pytest.importorskip("tqdm")
    analyze(networks.mlp(), LOADER, held_out=TEST, progress=True)
    shown = capsys.readouterr().err
    assert "5/5" in shown
    assert "2/2" in shown
    analyze(networks.mlp(), (batch for batch in LOADER), progress=True)
    assert "5batch" in capsys.readouterr().err.replace(" ", "")


# Features kept ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_features_on_disk_are_the_same(dtype, monkeypatch):
    model = networks.mlp().to(dtype)
    loader = [(x.to(dtype), y) for x, y in LOADER]
    files = []
    make = tempfile.TemporaryFile

    def temporary(**options):
        files.append(make(**options))
        return files[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", temporary)
    in_memory = analyze(model, loader)
    assert not files
    on_disk = analyze(model, loader, cache=16 * 16 * dtype.itemsize)
    assert same(in_memory.train, on_disk.train)
    assert len(files) == 1
    assert files[0].closed


def test_file_is_closed_after_an_error(monkeypatch):
    files = []
    make = tempfile.TemporaryFile
    monkeypatch.setattr(
        tempfile, "TemporaryFile", lambda **o: files.append(make(**o)) or files[-1]
    )
    with pytest.raises(ValueError, match="The loader must yield"):
        analyze(networks.mlp(), [(X, Y), X], cache=0)
    assert files[0].closed


def test_full_disk_is_explained(monkeypatch):
    class Full:
        def tell(self):
            return 0

        def write(self, content):
            raise OSError(28, "No space left on device")

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: Full())
    with pytest.raises(OSError, match="No space left") as caught:
        analyze(networks.mlp(), LOADER, cache=0)
    assert "cache='none'" in "".join(caught.value.__notes__)


# Two passes that differ ---------------------------------------------------------


class Drifting:
    """Draws its augmentation, order or choice from a generator that nobody knows."""

    def __init__(self, what):
        self.what, self.n = what, 0

    def __iter__(self):
        rng = np.random.default_rng(self.n)
        self.n += 1
        x, y = X, Y
        if self.what == "augmented":
            x = X + 0.05 * torch.tensor(rng.standard_normal(X.shape)).float()
        else:
            order = torch.tensor(rng.permutation(70))
            x, y = X[order], Y[order]
        n = {"dropped": 64, "growing": 50 + self.n}.get(self.what, 70)
        for i in range(0, n, 16):
            yield x[i : min(n, i + 16)], y[i : min(n, i + 16)]


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("augmented", "other features of the samples"),
        ("dropped", "samples of other classes"),
        ("growing", "51 samples and 52"),
    ],
)
def test_two_passes_that_saw_other_samples_are_noticed(what, found):
    with pytest.warns(
        UserWarning,
        match=rf"^The two passes over the loader saw {found}: the class means are "
        r"those of the first pass, NC1 and NC4 those of the second\. .*\(cache=2\*",
    ) as caught:
        analysis = analyze(networks.mlp(), Drifting(what), cache="none")
    assert analysis.notes == (str(caught[0].message),)
    assert caught[0].filename == __file__
    assert analyze(networks.mlp(), Drifting(what)).notes == ()


def test_two_passes_in_another_order_are_fine():
    assert analyze(networks.mlp(), Drifting("shuffled"), cache="none").notes == ()


# Shown --------------------------------------------------------------------------


def test_text_has_both_reports():
    found = analyze(networks.mlp(), LOADER, held_out=TEST)
    text = repr(found)
    assert text.startswith(
        "Analysis (head '3', 1 pass)\n\nTrain: Neural collapse of 70 "
    )
    assert f"Held out: {found.held_out!r}" in text
    alone = analyze(nn.Linear(D, K), LOADER, cache="none")
    assert repr(alone).startswith("Analysis (the model is its own head, 2 passes)")
    assert "Held out" not in repr(alone)


def points(ax, name):
    """Return (key, value) of the markers of a report."""
    keys = [label.get_text() for label in ax.get_yticklabels()]
    (line,) = [line for line in ax.lines if line.get_label() == name]
    found = zip(line.get_ydata(), line.get_xdata(), strict=True)
    return {keys[int(row)]: value for row, value in found if np.isfinite(value)}


def test_figure_shows_what_the_reports_hold():
    plt = pytest.importorskip("matplotlib.pyplot")
    found = analyze(networks.mlp(), LOADER, held_out=TEST)
    ax = found.plot()
    train, held_out = points(ax, "train"), points(ax, "held out")
    assert {"nc1_pinv", "nc2_etf", "nc3_self_duality", "nc4_mismatch"} <= set(train)
    assert "nc4_head_accuracy" not in train  # is not zero at collapse
    assert {key: found.train[key] for key in train} == train
    assert {key: found.held_out[key] for key in held_out} == held_out
    assert {"nc1_pinv", "nc4_mismatch"} <= set(held_out) < set(train)
    assert not {"nc2_etf", "nc3_self_duality"} & set(held_out)
    assert ax.figure.legends
    plt.close(ax.figure)


def test_figure_shows_zeros_at_its_left_end():
    plt = pytest.importorskip("matplotlib.pyplot")
    exact = [(torch.eye(D)[Y], Y)]
    model = nn.Linear(D, K)
    with torch.no_grad():
        model.weight.copy_(torch.eye(K, D))
        model.bias.zero_()
    found = analyze(model, exact)
    _, ax = plt.subplots()
    assert found.plot(ax) is ax
    assert found.train.nc4_mismatch == 0
    assert "nc4_mismatch" not in points(ax, "train")
    (arrows,) = [line for line in ax.lines if line.get_marker() == "<"]
    left = min(points(ax, "train").values())
    assert len(arrows.get_xdata()) == len(ax.texts) > 0
    assert max(arrows.get_xdata()) < left
    assert not ax.figure.legends
    plt.close(ax.figure)


def test_page_of_both_reports(tmp_path):
    analysis = analyze(networks.mlp(), LOADER, held_out=TEST)
    analysis.to_html(tmp_path / "both.html", title="A & B")
    page = (tmp_path / "both.html").read_text(encoding="utf-8")
    assert "<h1>A &amp; B</h1>" in page
    assert f"Head &#x27;{analysis.head_name}&#x27;, 1 pass over the training" in page
    for report in (analysis.train, analysis.held_out):
        assert f">{report.nc1_cdnv:.6g}</td>" in page
    for name in ("Training samples", "Held-out samples"):
        assert f"{name}: all {K} classes." in page


def test_page_keeps_capitals_in_the_name_of_the_head(tmp_path):
    analysis = replace(analyze(networks.mlp(), LOADER), head_name="lastFC")
    analysis.to_html(tmp_path / "one.html")
    page = (tmp_path / "one.html").read_text(encoding="utf-8")
    assert "Head &#x27;lastFC&#x27;, 1 pass over the training samples" in page


def test_page_without_held_out_samples(tmp_path):
    analysis = analyze(networks.mlp(), LOADER)
    analysis.to_html(tmp_path / "one.html")
    page = (tmp_path / "one.html").read_text(encoding="utf-8")
    assert f">{analysis.train.nc1_cdnv:.6g}</td>" in page
    assert "Held-out" not in page


def test_table_of_both_reports_in_a_notebook():
    analysis = analyze(networks.mlp(), LOADER, held_out=TEST)
    table = analysis._repr_html_()
    assert table.count("<table") == 1
    for name, report in (
        ("Training samples", analysis.train),
        ("Held-out samples", analysis.held_out),
    ):
        assert f">{name}</th>" in table
        assert f">{report.nc1_cdnv:.6g}</td>" in table
        assert f"{name}: Neural collapse of {report.n_samples} samples" in table
        assert f"{name}: score (1 - nc1_within_fraction) {float(report):.6g}" in table
    alone = analyze(networks.mlp(), LOADER)
    assert alone._repr_html_() == alone.train._repr_html_()
