"""A classifier made with PyTorch, for `duress evaluate`.

    pip install torch numpy
    python train.py ../../datasets/digits.csv.gz

Writes digits.onnx, the network (normalisation inside, pictures as [N, 1, 8, 8] in [0, 1]),
digits.npz, 200 test samples, and digits_logits.npy, what PyTorch answers to them.
"""

import gzip
import sys

import numpy as np
import torch
from torch import nn

table = np.loadtxt(gzip.open(sys.argv[1], "rt"), delimiter=",")
images = torch.tensor(table[:, :64] / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
labels = torch.tensor(table[:, 64], dtype=torch.long)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.pool = nn.MaxPool2d(2)
        self.out = nn.Linear(128, 10)

    def forward(self, x):
        x = (x - 0.3) / 0.38
        x = self.pool(torch.relu(self.norm(self.conv(x))))
        return self.out(x.flatten(1))


torch.manual_seed(0)
net, train = Net(), slice(0, 1500)
optimizer = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(15):
    for batch in torch.randperm(1500).split(64):
        loss = nn.functional.cross_entropy(net(images[train][batch]), labels[train][batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

net.eval()
test = slice(1500, 1700)
torch.onnx.export(
    net, images[:1], "digits.onnx", dynamo=False, opset_version=17,
    input_names=["input"], output_names=["logits"],
    dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
)
logits = net(images[test]).detach()
print(f"accuracy {(logits.argmax(1) == labels[test]).float().mean():.3f}")
np.savez_compressed("digits.npz", x=images[test].numpy(), y=labels[test].numpy())
np.save("digits_logits.npy", logits.numpy())
