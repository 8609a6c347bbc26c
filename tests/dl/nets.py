"""A module of Lightning, for either of its two packages."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset


def module_of(package: Any) -> Any:
    class Net(package.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.net = torch.nn.Linear(4, 2)

        def training_step(self, batch: Any, index: int) -> Any:
            return torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val_loss", torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1]))

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=1.0)

    return Net()


def loaders(x: np.ndarray, y: np.ndarray) -> tuple[DataLoader, DataLoader]:
    parts = [
        TensorDataset(torch.tensor(x[part]), torch.tensor(y[part])) for part in (slice(120), slice(120, None))
    ]
    return DataLoader(parts[0], batch_size=120), DataLoader(parts[1], batch_size=80)
