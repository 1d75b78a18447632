"""Models of transformers, made from tiny configurations; nothing is downloaded."""

import os
import warnings

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip(
    "transformers", reason="needs transformers, from the extra 'loops'"
)

from tolerances import SINGLE  # noqa: E402

from sknc import NeuralCollapseAnalyzer  # noqa: E402
from sknc.torch import FeatureProbe, analyze, analyze_layers  # noqa: E402

V, T, B = 23, 10, 24
GENERATOR = torch.Generator().manual_seed(0)
IDS = torch.randint(1, V, (B, T), generator=GENERATOR)
MASK = torch.ones_like(IDS)
MASK[::2, 7:] = 0
IDS[MASK == 0] = 0
TOKENS = IDS.masked_fill(MASK == 0, -100)
CLASSES = torch.arange(B) % 5
PIXELS = torch.randn(B, 3, 16, 16, generator=GENERATOR)
SMALL = {
    "vocab_size": V,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
LLAMA = {**SMALL, "num_key_value_heads": 2, "pad_token_id": 0}
GPT2 = {"vocab_size": V, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64}
GPT2 |= {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
T5 = {"vocab_size": V, "d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2}
T5 |= {"num_heads": 2, "decoder_start_token_id": 0, "pad_token_id": 0}
VIT = {**SMALL, "image_size": 16, "patch_size": 8, "num_labels": 5}
del VIT["vocab_size"]


def model(kind, config, **options):
    torch.manual_seed(0)
    made = getattr(transformers, kind)(getattr(transformers, config)(**options))
    with torch.no_grad():
        for parameter in made.parameters():  # not all zero, as biases are
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return made.eval()


def of_sequences(**more):
    return {"input_ids": IDS, "attention_mask": MASK, **more}


# name: class, configuration, its options, inputs, name of the head
MODELS = {
    "bert": (
        "BertForSequenceClassification",
        "BertConfig",
        {**SMALL, "num_labels": 5},
        of_sequences(),
        "classifier",
    ),
    "roberta": (
        "RobertaForSequenceClassification",
        "RobertaConfig",
        {**SMALL, "num_labels": 5, "pad_token_id": 0},
        of_sequences(),
        "classifier.out_proj",
    ),
    "bert tokens": (
        "BertForTokenClassification",
        "BertConfig",
        {**SMALL, "num_labels": 5},
        of_sequences(),
        "classifier",
    ),
    "bert masked": (
        "BertForMaskedLM",
        "BertConfig",
        SMALL,
        of_sequences(),
        "cls.predictions.decoder",
    ),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", GPT2, of_sequences(), "lm_head"),
    "llama": ("LlamaForCausalLM", "LlamaConfig", LLAMA, of_sequences(), "lm_head"),
    "gpt2 sequences": (
        "GPT2ForSequenceClassification",
        "GPT2Config",
        {**GPT2, "num_labels": 5},
        of_sequences(),
        "score",
    ),
    "llama sequences": (
        "LlamaForSequenceClassification",
        "LlamaConfig",
        {**LLAMA, "num_labels": 5},
        of_sequences(),
        "score",
    ),
    "t5": (
        "T5ForConditionalGeneration",
        "T5Config",
        T5,
        of_sequences(decoder_input_ids=IDS),
        "lm_head",
    ),
    "vit": (
        "ViTForImageClassification",
        "ViTConfig",
        VIT,
        {"pixel_values": PIXELS},
        "classifier",
    ),
    "resnet": (
        "ResNetForImageClassification",
        "ResNetConfig",
        {
            "embedding_size": 8,
            "hidden_sizes": [8, 16],
            "depths": [1, 1],
            "num_labels": 5,
            "layer_type": "basic",
        },
        {"pixel_values": PIXELS},
        "classifier.1",
    ),
}


@pytest.mark.parametrize("case", MODELS)
@torch.no_grad()
def test_features_times_head_are_the_logits(case):
    kind, config, options, inputs, name = MODELS[case]
    made = model(kind, config, **options)
    with FeatureProbe(made) as probe:
        logits = made(**inputs).logits
        assert probe.head_name == name
        head = made.get_submodule(name)
        by_hand = probe.features.double() @ head.weight.T.double()
        if head.bias is not None:
            by_hand += head.bias
        torch.testing.assert_close(by_hand, logits.double(), rtol=0, atol=1e-5)
        assert torch.equal(probe.logits, logits)
        again = made(**inputs, return_dict=False)
        assert any(torch.equal(probe.logits, t) for t in again if torch.is_tensor(t))


@torch.no_grad()
def test_tied_embeddings_are_tied():
    made = model("GPT2LMHeadModel", "GPT2Config", **GPT2)
    with FeatureProbe(made) as probe:
        made(input_ids=IDS)
    assert probe.head.weight is made.transformer.wte.weight


def fitted(batches, head, **options):
    """Return the report of features by hand."""
    analyzer = NeuralCollapseAnalyzer(head).fit_batches(batches, **options)
    return analyzer.score_batches(batches)


@torch.no_grad()
def test_bert_of_a_collated_loader():
    kind, config, options, inputs, _ = MODELS["bert"]
    made = model(kind, config, **options)
    items = [
        {"input_ids": i, "attention_mask": m, "labels": y}
        for i, m, y in zip(IDS, MASK, CLASSES, strict=True)
    ]
    loader = torch.utils.data.DataLoader(items, 10)
    batches = []
    for batch in loader:
        labels = batch.pop("labels")
        batches.append((made.bert(**batch).pooler_output, labels))
    found = analyze(made.train(), loader).train
    assert found.to_json() == fitted(batches, made.classifier).to_json()
    encoded = [
        transformers.BatchEncoding({**inputs, "labels": CLASSES}),
    ]
    whole = analyze(made, encoded).train
    assert whole.n_samples == found.n_samples == B


@pytest.mark.parametrize(
    ("case", "shift"),
    [
        ("gpt2", True),
        ("llama", True),
        ("bert masked", False),
        ("t5", False),
    ],
)
@torch.no_grad()
def test_shift_of_labels_is_that_of_the_model(case, shift):
    kind, config, options, _, _ = MODELS[case]
    made = model(kind, config, **options)
    batch = of_sequences(labels=TOKENS)
    found = analyze(made, [batch]).train
    assert found.n_samples == int((TOKENS[:, 1:] if shift else TOKENS).ne(-100).sum())
    wanted = analyze(made, [batch], shift=shift).train
    other = analyze(made, [batch], shift=not shift).train
    assert found.to_json() == wanted.to_json() != other.to_json()


@torch.no_grad()
def test_gpt2_equals_its_loss_and_the_estimator_by_hand():
    made = model("GPT2LMHeadModel", "GPT2Config", **GPT2)
    hidden = made.transformer(input_ids=IDS, attention_mask=MASK)[0][:, :-1]
    keep = TOKENS[:, 1:] != -100
    rows = hidden[keep], TOKENS[:, 1:][keep]
    loss = made(**of_sequences(labels=TOKENS)).loss
    mine = torch.nn.functional.cross_entropy(made.lm_head(rows[0]), rows[1])
    assert float(loss) == pytest.approx(float(mine), abs=SINGLE)
    found = analyze(made, [of_sequences(labels=TOKENS)]).train
    wanted = fitted([rows], made.lm_head, classes=range(V))
    assert found.to_json() == wanted.to_json()


@pytest.mark.parametrize("case", ["gpt2 sequences", "llama sequences"])
@torch.no_grad()
def test_sequences_are_measured_by_the_token_that_is_scored(case):
    kind, config, options, inputs, name = MODELS[case]
    made = model(kind, config, **options)
    found = analyze(made, [of_sequences(labels=CLASSES)]).train
    hidden = made.base_model(**inputs)[0]
    features = hidden[torch.arange(B), MASK.sum(1) - 1]
    wanted = fitted([(features, CLASSES)], made.get_submodule(name))
    assert found.to_json() == wanted.to_json()


@torch.no_grad()
def test_vit():
    kind, config, options, _, _ = MODELS["vit"]
    made = model(kind, config, **options)
    features = made.vit(pixel_values=PIXELS)[0][:, 0]
    found = analyze(made, [{"pixel_values": PIXELS, "labels": CLASSES}]).train
    wanted = fitted([(features, CLASSES)], made.classifier)
    assert found.to_json() == wanted.to_json()


@torch.no_grad()
def test_half_precision():
    made = model("LlamaForCausalLM", "LlamaConfig", **LLAMA).bfloat16()
    found = analyze(made, [of_sequences(labels=TOKENS)])
    assert found.head_name == "lm_head"
    assert found.train.dtype == "bfloat16"


def test_gradient_checkpointing_in_training():
    made = model("LlamaForCausalLM", "LlamaConfig", **LLAMA)
    enable = getattr(made, "activation_checkpointing_enable", None)
    (enable or made.gradient_checkpointing_enable)()
    made.train()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of transformers, about its own cache
        with FeatureProbe(made) as probe:
            made(**of_sequences(labels=TOKENS)).loss.backward()
    assert probe.n_forwards == 1
    plain = model("LlamaForCausalLM", "LlamaConfig", **LLAMA)
    batch = [of_sequences(labels=TOKENS)]
    assert analyze(made, batch).train.to_json() == analyze(plain, batch).train.to_json()
    assert all(part.training for part in made.modules())


def test_logits_to_keep_take_as_many_labels():
    made = model("LlamaForCausalLM", "LlamaConfig", **LLAMA)
    batch = of_sequences(logits_to_keep=1, labels=TOKENS)
    with pytest.raises(
        ValueError, match=r"\(24, 10\) for features of shape \(24, 1, 32"
    ):
        analyze(made, [batch])
    full = IDS[:, -1:]

    def unpack(batch):
        return {k: v for k, v in batch.items() if k != "labels"}, full

    found = analyze(made, [batch], unpack=unpack, shift=False).train
    assert found.n_samples == B


@pytest.mark.parametrize(
    ("kind", "config", "options", "batch", "message"),
    [
        (
            "Gemma2ForCausalLM",
            "Gemma2Config",
            {**LLAMA, "head_dim": 16},
            of_sequences(labels=TOKENS),
            r"Candidates that ran last: .*'lm_head' \(Linear, 32 to 23: its output is",
        ),
        (
            "BertForSequenceClassification",
            "BertConfig",
            {**SMALL, "num_labels": 5, "problem_type": "multi_label_classification"},
            of_sequences(labels=torch.eye(5)[CLASSES]),
            r"got float32 of shape \(24, 5\): soft, one-hot or multi-label targets",
        ),
    ],
    ids=["capped logits", "multi-label"],
)
def test_refused(kind, config, options, batch, message):
    made = model(kind, config, **options)
    with pytest.raises(ValueError, match=message):
        analyze(made, [batch])


def test_head_of_capped_logits_can_be_named():
    made = model("Gemma2ForCausalLM", "Gemma2Config", **LLAMA, head_dim=16)
    batch = [of_sequences(labels=TOKENS)]
    found = analyze(made, batch, head="lm_head", shift=True).train
    assert found.n_samples == int((TOKENS[:, 1:] != -100).sum())


def test_two_towers_are_refused():
    small = {k: v for k, v in SMALL.items() if k != "vocab_size"}
    made = model(
        "CLIPModel",
        "CLIPConfig",
        text_config=dict(SMALL),
        vision_config={**small, "image_size": 16, "patch_size": 8},
        projection_dim=16,
    )
    inputs = {**of_sequences(), "pixel_values": PIXELS}
    with (
        FeatureProbe(made),
        pytest.raises(ValueError, match=r"head='\.\.\.'"),
    ):
        made(**inputs)


def test_layers_of_bert_are_means_of_its_hidden_states_without_padding():
    bert = model("BertForSequenceClassification", "BertConfig", **SMALL, num_labels=5)
    inputs = {"input_ids": IDS, "attention_mask": MASK}
    found = analyze_layers(
        bert, [{**inputs, "labels": CLASSES}], "bert.encoder.layer.*"
    )
    assert found.layers == ("bert.encoder.layer.0", "bert.encoder.layer.1")
    with torch.no_grad():
        states = bert(**inputs, output_hidden_states=True).hidden_states[1:]
    for name, state in zip(found, states, strict=True):
        rows = [row[keep.bool()].mean(0) for row, keep in zip(state, MASK, strict=True)]
        analyzer = NeuralCollapseAnalyzer().fit(torch.stack(rows), CLASSES)
        wanted = analyzer.report().nc1_trace_ratio
        assert found[name].nc1_trace_ratio == pytest.approx(wanted, rel=1e-5)


def test_queries_keys_and_values_of_bert_count_once():
    bert = model("BertForSequenceClassification", "BertConfig", **SMALL, num_labels=5)
    batch = {"input_ids": IDS, "attention_mask": MASK, "labels": CLASSES}
    found = analyze_layers(bert, [batch])
    assert len(found) == 2 * 4 + 2  # of each block; pooler and classifier
    assert found.notes[0].count("key") == found.notes[0].count("value") == 2
