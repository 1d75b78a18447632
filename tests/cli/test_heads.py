"""Heads of ``sknc report``, from files of weights."""

import os

import numpy as np
import pytest
import states

from sknc import NCReport, NeuralCollapseAnalyzer


class TestHeads:
    WEIGHTS = np.random.default_rng(5).normal(size=(4, 6))
    BIAS = np.arange(4.0)

    def report(self, printed, *options):
        found = printed("report", "all.npz", "--score", "--json", *options)
        return NCReport.from_json(found)

    @pytest.fixture
    def want(self):
        head = (self.WEIGHTS, self.BIAS)
        return (
            NeuralCollapseAnalyzer(head).fit(*states.samples()).score(*states.samples())
        )

    def test_archive(self, printed, want):
        np.savez("head.npz", W=self.WEIGHTS, b=self.BIAS, other=np.eye(3))
        found = self.report(printed, "--head", "head.npz")
        assert found.to_dict() == want.to_dict()

    def test_two_files(self, printed, want):
        np.save("w.npy", self.WEIGHTS)
        np.save("b.npy", self.BIAS)
        found = self.report(printed, "--head", "w.npy", "--bias", "b.npy")
        assert found.to_dict() == want.to_dict()
        np.save("w.npy", self.WEIGHTS.T)
        arguments = ("--head", "w.npy", "--bias", "b.npy", "--transpose-head")
        assert self.report(printed, *arguments).to_dict() == want.to_dict()

    def test_labels_of_rows(self, printed, want):
        order = np.array([2, 0, 3, 1])
        np.savez(
            "head.npz",
            coef_=self.WEIGHTS[order],
            intercept_=self.BIAS[order],
            classes_=order,
        )
        found = self.report(printed, "--head", "head.npz")
        assert found.to_dict() == pytest.approx(want.to_dict(), rel=1e-12)

    @pytest.mark.parametrize("nested", [False, True])
    def test_state_dict(self, nested, printed, want, torch):
        model = torch.nn.Sequential()
        model.add_module("embed", torch.nn.Linear(3, 6))
        model.add_module("fc", torch.nn.Linear(6, 4).double())
        with torch.no_grad():
            model.fc.weight.copy_(torch.tensor(self.WEIGHTS))
            model.fc.bias.copy_(torch.tensor(self.BIAS))
        state = model.state_dict()
        torch.save({"epoch": 3, "state_dict": state} if nested else state, "model.pt")
        found = self.report(printed, "--head", "model.pt")
        assert found.to_dict() == want.to_dict()
        name = "state_dict.fc" if nested else "fc.weight"
        found = self.report(printed, "--head", "model.pt", "--head-key", name)
        assert found.to_dict() == want.to_dict()

    @pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
    def test_safetensors(self, dtype, printed, torch):
        save_file = pytest.importorskip("safetensors.torch").save_file
        dtype = getattr(torch, dtype)
        W, b = (torch.tensor(part).to(dtype) for part in (self.WEIGHTS, self.BIAS))
        layers = {"embed.weight": torch.ones(9, 3), "lm_head.weight": W}
        save_file(layers | {"lm_head.bias": b}, "model.safetensors")
        head = (W.double().numpy(), b.double().numpy())
        want = NeuralCollapseAnalyzer(head).fit(*states.samples())
        found = self.report(printed, "--head", "model.safetensors")
        assert found.to_dict() == want.score(*states.samples()).to_dict()

    def test_convolution(self, printed, want, torch):
        weight = torch.tensor(self.WEIGHTS)[:, :, None, None]
        state = {"conv.weight": weight, "conv.bias": torch.tensor(self.BIAS)}
        torch.save(state, "model.pt")
        found = self.report(printed, "--head", "model.pt")
        assert found.to_dict() == want.to_dict()

    def test_head_of_a_state(self, printed):
        np.save("w.npy", self.WEIGHTS)
        found = printed("report", "part0.sknc", "--head", "w.npy", "--json")
        assert "nc3_self_duality" in NCReport.from_json(found)

    def test_several_layers(self, refused):
        np.savez("m.npz", **{"a/weight": self.WEIGHTS, "b/weight": self.WEIGHTS})
        assert refused("report", "all.npz", "--head", "m.npz") == (
            "m.npz has several layers that may be the head: 'a/weight' (4, 6), "
            "'b/weight' (4, 6). Name one with --head-key, such as --head-key b."
        )
        found = refused("report", "all.npz", "--head", "m.npz", "--head-key", "c")
        assert found.startswith("m.npz has no head 'c', but 'a/weight' (4, 6), ")

    def test_no_head(self, refused, folder):
        found = refused("report", "all.npz", "--head", "none.pt")
        assert found == "There is no file none.pt: name that of the head's weights."
        (folder / "head.txt").write_text("1 2 3")
        found = refused("report", "all.npz", "--head", "head.txt")
        assert found.startswith("head.txt has an unknown format: expected .npz, .npy,")
        np.save("v.npy", np.ones(3))
        found = refused("report", "all.npz", "--head", "v.npy")
        assert found.startswith("v.npy has no weights of two axes")

    def test_code_is_not_run(self, refused, folder, torch):
        class Harm:
            def __reduce__(self):
                return os.mkdir, ("harm",)

        torch.save({"fc.weight": Harm()}, "model.pt")
        found = refused("report", "all.npz", "--head", "model.pt")
        assert found == (
            "model.pt cannot be loaded as a state dict without running code (Weights "
            "only load failed). Save one with torch.save(model.state_dict(), path)."
        )
        assert not (folder / "harm").exists()

    @pytest.mark.parametrize("listed", [False, True])
    def test_labels_in_a_state_dict(self, listed, printed, want, torch):
        order = [2, 0, 3, 1]
        state = {
            "weight": torch.tensor(self.WEIGHTS)[order],
            "bias": torch.tensor(self.BIAS)[order],
            "classes": order if listed else torch.tensor(order),
        }
        torch.save(state, "model.pt")
        found = self.report(printed, "--head", "model.pt")
        assert found.to_dict() == pytest.approx(want.to_dict(), rel=1e-12)

    def test_names_of_weights_alone(self, printed, want):
        np.savez("head.npz", kernel=self.WEIGHTS, b=self.BIAS)
        assert self.report(printed, "--head", "head.npz").to_dict() == want.to_dict()

    @pytest.mark.parametrize(
        ("classes", "kind"),
        [
            (
                np.array(["0", "1", "2", "3"], object),
                "are Python objects, which are not loaded because doing so could run "
                "code.",
            ),
            (np.array([b"0", b"1", b"2", b"3"]), "are bytes, expected numbers or text"),
        ],
    )
    @pytest.mark.parametrize("name", ["classes", "classes_"])
    def test_labels_that_cannot_be_read(self, name, classes, kind, refused):
        np.savez("head.npz", W=self.WEIGHTS, b=self.BIAS, **{name: classes})
        found = refused("report", "all.npz", "--head", "head.npz")
        assert found.startswith(f"The labels in head.npz ({name!r}) {kind}")
        assert found.endswith(". Save y.astype(str) instead.")

    @pytest.mark.parametrize("name", ["W", "b"])
    def test_numbers_that_cannot_be_read(self, name, refused):
        parts = {"W": self.WEIGHTS, "b": self.BIAS}
        np.savez("head.npz", **parts | {name: parts[name].astype(object)})
        assert refused("report", "all.npz", "--head", "head.npz") == (
            f"The numbers in head.npz ({name!r}) are Python objects, which are not "
            "loaded because doing so could run code. Save W.astype(np.float64) "
            "instead."
        )

    @pytest.mark.parametrize("layer", ["", "fc."])
    def test_unknown_name_beside_the_weights(self, layer, refused):
        parts = {"weights": self.WEIGHTS, "biases": self.BIAS}
        np.savez("head.npz", **{f"{layer}{name}": part for name, part in parts.items()})
        assert refused("report", "all.npz", "--head", "head.npz") == (
            "head.npz has 'biases' next to the weights, which may be a bias or "
            "labels. Name a bias one of bias, b, intercept_ and labels one of classes, "
            "classes_, or save the file without 'biases'."
        )

    def test_file_of_a_bias(self, refused):
        np.save("w.npy", self.WEIGHTS)
        np.save("b.npy", np.float64(3))
        np.savez("b.npz", first=self.BIAS, second=self.BIAS)
        for name, found in (("b.npy", "none"), ("b.npz", "'first', 'second'")):
            options = ("--head", "w.npy", "--bias", name)
            assert refused("report", "all.npz", *options) == (
                f"{name} must have one array with a bias for each class, got {found}. "
                "Save it alone, with np.save('bias.npy', b)."
            )
