"""The plain way of training and evaluating, which benchmarks compare with: nothing wrong in it, and nothing fast.

Every image is decoded, resized and augmented by itself at every pass; fp32 in torch's default memory layout; pruning by
torch.nn.utils.prune for each variant; scikit-learn a class at a time; metrics logged one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import torch
from PIL import Image
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from torch import nn
from torch.nn.utils import prune
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from prunecxr.data.phantom import MAX_SIZE, PhantomImages, phantom_tables

NORMALIZE = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def write_images(folder: Path, count: int, side: int) -> np.ndarray:
    """Draw phantoms into PNG files of side x side pixels, and test.csv beside the folder; their labels.

    Files of a size that phantoms are not drawn at are enlarged from the largest one.
    """
    table = phantom_tables(max(count, 50), 50, 50)["train"]
    images = PhantomImages(table, min(side, MAX_SIZE))
    folder.mkdir(parents=True)
    lines = []
    for index in range(count):
        drawn = Image.fromarray(images.read(index))
        drawn.resize((side, side), Image.Resampling.BILINEAR).save(folder / table.ids[index])
        lines.append(f"{table.ids[index]},{table.subjects[index]}," + ",".join(map(str, table.labels[index])))
    head = "id,subj_id," + ",".join(table.classes)
    (folder.parent / "test.csv").write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return table.labels[:count]


class Files(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Image files, each decoded whenever it is asked for."""

    def __init__(self, folder: Path, labels: np.ndarray, size: int, augmented: bool = False) -> None:
        self.paths, self.labels = sorted(folder.iterdir()), torch.from_numpy(labels.astype(np.float32))
        turned = [transforms.RandomHorizontalFlip(), transforms.RandomRotation(15)] if augmented else []
        steps = [transforms.Resize((size, size)), *turned, transforms.ToTensor(), NORMALIZE]
        self.transform = transforms.Compose(steps)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.transform(Image.open(self.paths[index]).convert("RGB")), self.labels[index]


def evaluate_variant(model: nn.Module, sparsity: float, files: Files, batch: int, classes: tuple[str, ...]) -> None:
    """Prune a dense model, evaluate it, log 60 metrics to the current run."""
    layers = [(m, "weight") for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=sparsity)
    for module, name in layers:
        prune.remove(module, name)
    model.eval()
    predicted = []
    with torch.no_grad():
        for inputs, _ in DataLoader(files, batch_size=batch):
            predicted.append(torch.sigmoid(model(inputs)))
    scores, truth = torch.cat(predicted).numpy(), files.labels.numpy()
    for number, name in enumerate(classes):
        positive, score = truth[:, number], scores[:, number]
        mlflow.log_metric(f"ap/{name}", average_precision_score(positive, score) if positive.any() else 0.0)
        mixed = 0 < positive.mean() < 1
        mlflow.log_metric(f"auroc/{name}", roc_auc_score(positive, score) if mixed else 0.0)
        mlflow.log_metric(f"f1/{name}", f1_score(positive, score > 0.5, zero_division=0.0))


def training_steps(model: nn.Module, files: Files, batch: int) -> Iterator[int]:
    """Train a step after the other; yields the images of each."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    loss = nn.BCEWithLogitsLoss()
    model.train()
    while True:
        for inputs, labels in DataLoader(files, batch_size=batch, shuffle=True, drop_last=True):
            optimizer.zero_grad()
            loss(model(inputs), labels).backward()
            optimizer.step()
            yield len(inputs)
