"""
Separate digits from pixel-shuffled digits by how much of them lies in the class means.

    python docs/examples/ood.py

A small network is trained on scikit-learn's digits. Its features of test digits and of
the same images with their pixels shuffled, each image in its own order, are compared by
`neco_score`; printed is the area under the ROC curve.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sknc import NeuralCollapseAnalyzer


def features(network: MLPClassifier, images: np.ndarray) -> np.ndarray:
    """Return what the last layer of the network is applied to."""
    for weights, bias in zip(
        network.coefs_[:-1], network.intercepts_[:-1], strict=True
    ):
        images = np.maximum(images @ weights + bias, 0)
    return images


def main() -> None:
    """Train, fit, compare."""
    images, labels = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(
        images / 16, labels, random_state=0, stratify=labels
    )
    shuffled = np.random.default_rng(0).permuted(test, axis=1)
    network = MLPClassifier(
        (128, 64), learning_rate_init=3e-3, tol=3e-3, random_state=0
    )
    network.fit(train, y_train)

    analyzer = NeuralCollapseAnalyzer().fit(features(network, train), y_train)
    inside = analyzer.neco_score(features(network, test))
    outside = analyzer.neco_score(features(network, shuffled))
    is_digit = np.repeat([1, 0], [len(inside), len(outside)])
    area = roc_auc_score(is_digit, np.concatenate([inside, outside]))

    print(f"accuracy on test digits: {network.score(test, y_test):.2f}")
    print(f"mean NECO score of digits: {inside.mean():.2f}")
    print(f"mean NECO score of shuffled digits: {outside.mean():.2f}")
    print(f"AUROC: {area:.2f}")
    for key, value in analyzer.score_ood(features(network, shuffled)).items():
        print(f"{key} of shuffled digits: {value:.2f}")


if __name__ == "__main__":
    main()
