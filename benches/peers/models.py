"""The networks of the comparison in PyTorch, shaped as the Rust side has them."""

import torch
from torch import nn
from torchvision.models import Inception3
from torchvision.models.googlenet import GoogLeNet, Inception


def conv(c_in, c_out, kernel, **kwargs):
    """A biased convolution that keeps rows and columns."""
    return nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, **kwargs)


class SimpleInception(nn.Module):
    """One convolution, one module without activations, one linear layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = conv(3, 64, 3)
        self.branch1 = conv(64, 64, 1)
        self.branch3 = nn.Sequential(conv(64, 64, 1), conv(64, 128, 3))
        self.branch5 = nn.Sequential(conv(64, 64, 1), conv(64, 128, 5))
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(64, 32, 1))
        self.fc = nn.Linear(352 * 32 * 32, 10)

    def forward(self, x):
        x = self.conv1(x)
        x = torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.pool(x)], 1)
        return self.fc(x.flatten(1))


class ConvNormRelu(nn.Sequential):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, c_in, c_out, kernel):
        norm = nn.BatchNorm2d(c_out, eps=1e-3)
        super().__init__(conv(c_in, c_out, kernel, bias=False), norm, nn.ReLU(inplace=True))


class Module(nn.Module):
    """The Inception module with batch norm and a 5×5 branch."""

    def __init__(self, c_in, c1, c3_reduce, c3, c5_reduce, c5, pool):
        super().__init__()
        self.branch1 = ConvNormRelu(c_in, c1, 1)
        self.branch2 = nn.Sequential(
            ConvNormRelu(c_in, c3_reduce, 1), ConvNormRelu(c3_reduce, c3, 3)
        )
        self.branch3 = nn.Sequential(
            ConvNormRelu(c_in, c5_reduce, 1), ConvNormRelu(c5_reduce, c5, 5)
        )
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), ConvNormRelu(c_in, pool, 1))

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class InceptionSmall(nn.Sequential):
    """The small network, for images of 32×32."""

    def __init__(self):
        super().__init__(
            ConvNormRelu(3, 32, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            ConvNormRelu(32, 64, 3),
            Module(64, 32, 32, 64, 16, 32, 32),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Module(160, 64, 64, 128, 16, 32, 32),
            Module(256, 96, 64, 160, 16, 48, 48),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(352, 10),
        )


class Module3a(nn.Module):
    """torchvision's first module; under training with an average and a small classifier."""

    def __init__(self):
        super().__init__()
        self.module = Inception(192, 64, 96, 128, 16, 32, 32)
        self.fc = nn.Linear(256, 10)

    def forward(self, x):
        x = self.module(x)
        return self.fc(x.mean((2, 3))) if self.training else x


# name: (constructor, shape of an image, classes)
NETWORKS = {
    "googlenet-torchvision": (
        lambda heads: GoogLeNet(
            num_classes=1000, aux_logits=heads, init_weights=False, transform_input=False
        ),
        (3, 224, 224),
        1000,
    ),
    "inception-v3": (
        lambda heads: Inception3(
            num_classes=1000, aux_logits=heads, init_weights=False, transform_input=False
        ),
        (3, 299, 299),
        1000,
    ),
    "simple-inception": (lambda heads: SimpleInception(), (3, 32, 32), 10),
    "inception-small": (lambda heads: InceptionSmall(), (3, 32, 32), 10),
    "module-3a": (lambda heads: Module3a(), (192, 28, 28), 10),
}


def build(name, train):
    """The network, the shape of its input, and its classes."""
    make, shape, classes = NETWORKS[name]
    torch.manual_seed(0)
    return make(train).train(train), shape, classes
