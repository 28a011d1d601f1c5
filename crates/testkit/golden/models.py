"""PyTorch modules that torchvision does not have; state-dict keys follow torchvision's."""

import torch
import torch.nn.functional as F
from torch import nn


class Conv(nn.Module):
    """A biased convolution and ReLU: the paper's convolution, key `conv`."""

    def __init__(self, cin, cout, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, bias=True, **kwargs)

    def forward(self, x):
        return F.relu(self.conv(x))


class PaperInception(nn.Module):
    """The module of the paper's figure 2b, with a true 5x5 third branch."""

    def __init__(self, cin, c1, c3r, c3, c5r, c5, pool):
        super().__init__()
        self.branch1 = Conv(cin, c1, kernel_size=1)
        self.branch2 = nn.Sequential(
            Conv(cin, c3r, kernel_size=1), Conv(c3r, c3, kernel_size=3, padding=1)
        )
        self.branch3 = nn.Sequential(
            Conv(cin, c5r, kernel_size=1), Conv(c5r, c5, kernel_size=5, padding=2)
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), Conv(cin, pool, kernel_size=1)
        )

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class PaperAux(nn.Module):
    """The paper's auxiliary classifier without its dropout."""

    def __init__(self, cin, classes):
        super().__init__()
        self.conv = Conv(cin, 128, kernel_size=1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, classes)

    def forward(self, x):
        x = self.conv(F.avg_pool2d(x, 5, stride=3))
        return self.fc2(F.relu(self.fc1(torch.flatten(x, 1))))


class PaperGoogLeNet(nn.Module):
    """Table 1 with local response normalisation, biased convolutions and no dropout."""

    def __init__(self, classes):
        super().__init__()
        self.conv1 = Conv(3, 64, kernel_size=7, stride=2, padding=3)
        self.conv2 = Conv(64, 64, kernel_size=1)
        self.conv3 = Conv(64, 192, kernel_size=3, padding=1)
        self.inception3a = PaperInception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = PaperInception(256, 128, 128, 192, 32, 96, 64)
        self.inception4a = PaperInception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = PaperInception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = PaperInception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = PaperInception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = PaperInception(528, 256, 160, 320, 32, 128, 128)
        self.inception5a = PaperInception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = PaperInception(832, 384, 192, 384, 48, 128, 128)
        self.aux1 = PaperAux(512, classes)
        self.aux2 = PaperAux(528, classes)
        self.fc = nn.Linear(1024, classes)

    def forward(self, x):
        pool = lambda x: F.max_pool2d(x, 3, stride=2, ceil_mode=True)
        norm = lambda x: F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0)
        x = norm(pool(self.conv1(x)))
        x = pool(norm(self.conv3(self.conv2(x))))
        x = pool(self.inception3b(self.inception3a(x)))
        x = self.inception4a(x)
        aux1 = self.aux1(x)
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x)
        x = pool(self.inception4e(x))
        x = self.inception5b(self.inception5a(x))
        return self.fc(x.mean((2, 3))), aux1, aux2


class SimpleInception(nn.Module):
    """One convolution, one Inception module, one linear layer; no activation anywhere."""

    class Module(nn.Module):
        def __init__(self, cin, c1, c3r, c3, c5r, c5, pool):
            super().__init__()
            self.conv1 = nn.Conv2d(cin, c1, 1)
            self.conv3 = nn.Sequential(nn.Conv2d(cin, c3r, 1), nn.Conv2d(c3r, c3, 3, padding=1))
            self.conv5 = nn.Sequential(nn.Conv2d(cin, c5r, 1), nn.Conv2d(c5r, c5, 5, padding=2))
            self.pool = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), nn.Conv2d(cin, pool, 1))

        def forward(self, x):
            return torch.cat([self.conv1(x), self.conv3(x), self.conv5(x), self.pool(x)], 1)

    def __init__(self, classes, side):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1)
        self.inception1 = self.Module(64, 64, 64, 128, 64, 128, 32)
        self.fc = nn.Linear(352 * side * side, classes)

    def forward(self, x):
        return self.fc(torch.flatten(self.inception1(self.conv1(x)), 1))
