"""Files in the order of a shell are not paired with those in natural order."""

import os

import numpy as np


def test_order_of_a_shell(refused, printed):
    for old, new in ((0, 10), (1, 11)):
        for name in "xy":
            os.rename(f"{name}{old}.npy", f"{name}{new}.npy")  # noqa: PTH104
    features = ("x10.npy", "x11.npy", "x2.npy")
    found = refused("report", *features, "--labels", "y*.npy")
    assert found == (
        "Label files are in a different order than feature files: y2.npy would belong "
        "to x10.npy. Quote the pattern, so that the shell does not expand it, or "
        "give both in the same order."
    )
    labels = np.concatenate([np.load(f"y{n}.npy") for n in (2, 10, 11)])
    np.save("labels.npy", labels)
    assert refused("report", *features, "--labels", "labels.npy") == (
        "x2.npy comes after x11.npy, so it is not clear which rows the labels in "
        "the one file belong to. Quote the pattern, so that files are sorted by their "
        "numbers, or give them in that order."
    )
    text = printed("report", "x*.npy", "--labels", "y*.npy")
    assert printed("report", "x*.npy", "--labels", "labels.npy") == text
    in_order = ("x2.npy", "x10.npy", "x11.npy")
    assert printed("report", *in_order, "--labels", "labels.npy") == text
