"""Settings of the demonstration."""

from dataclasses import dataclass

import numpy as np

N_HIDDEN_LAYERS = 3
_N_MEASUREMENTS = 18


@dataclass(frozen=True)
class DemoSettings:
    """Settings of the demonstration; the defaults reach collapse."""

    epochs: int = 300
    seed: int = 0  # for the split, the initial weights and the order of samples
    device: str = "cpu"
    width: int = 256  # per hidden layer
    batch_size: int = 256
    learning_rate: float = 0.06  # at the start
    momentum: float = 0.9
    weight_decay: float = 5e-3  # of all parameters; collapse needs some
    decay: float = 0.3  # factor on the learning rate at each of `decay_at`
    decay_at: tuple[float, ...] = (0.4, 0.6, 0.8)  # fractions of `epochs`
    held_out: float = 0.25  # fraction of the samples

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, value, least in (("epochs", self.epochs, 1), ("seed", self.seed, 0)):
            if value < least:
                msg = f"{name} must be at least {least}, got {value}."
                raise ValueError(msg)

    def measured_epochs(self) -> list[int]:
        """Return the epochs to measure: nearly geometric, with the first and last."""
        spaced = np.geomspace(1, self.epochs, _N_MEASUREMENTS)
        return sorted({round(epoch) for epoch in spaced.tolist()})
