"""
Models of timm, whose heads are found.

timm is in none of our environments: it needs torchvision, of which the builds for CUDA
cannot be imported beside a torch for the CPU.
"""

import pytest

torch = pytest.importorskip("torch")
try:
    import timm
except (ImportError, RuntimeError) as error:  # RuntimeError of such a torchvision
    pytest.skip(f"needs timm: {error}", allow_module_level=True)

from sknc.torch import FeatureProbe, analyze  # noqa: E402

K = 5
SMALL = {"img_size": 64}
MODELS = [
    ("resnet18", "fc", 512, {}),
    ("resnetv2_50", "head.fc", 2048, {}),  # a convolution
    ("mobilenetv3_small_050", "classifier", 1024, {}),
    ("convnext_atto", "head.fc", 320, {}),
    ("vgg11", "head.fc", 4096, {}),
    ("vit_tiny_patch16_224", "head", 192, SMALL),
    ("swin_tiny_patch4_window7_224", "head.fc", 768, {"img_size": 56}),
    ("xcit_nano_12_p16_224", "head", 128, {}),
]
DISTILLED = "deit_tiny_distilled_patch16_224"


def created(name, options):
    """Return a small model with random weights, and images."""
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=K, **options).eval()
    size = options.get("img_size", 64)
    return model, torch.randn(10, 3, size, size)


@pytest.mark.parametrize(("name", "head", "width", "options"), MODELS)
def test_features_times_head_are_the_logits(name, head, width, options):
    model, images = created(name, options)
    with FeatureProbe(model) as probe, torch.no_grad():
        logits = model(images)
    assert probe.head_name == head
    assert probe.features.shape == (10, width)
    found = probe.linear_head()
    made = probe.features.double() @ found.weights.T + found.bias
    assert (made - logits).abs().max() <= 1e-5 * logits.abs().max()
    labels = torch.arange(10) % K
    analysis = analyze(model, [(images[:6], labels[:6]), (images[6:], labels[6:])])
    assert (analysis.head_name, analysis.train.n_samples) == (head, 10)


def test_two_heads_of_a_distilled_model_are_refused_until_one_is_named():
    model, images = created(DISTILLED, SMALL)
    loader = [(images, torch.arange(10) % K)]
    message = r"No linear layer makes the model's logits: .*'head' .*'head_dist' "
    with pytest.raises(ValueError, match=message):  # the logits are their average
        analyze(model, loader)
    for head in ("head", "head_dist"):
        assert analyze(model, loader, head=head).head_name == head
