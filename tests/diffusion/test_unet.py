"""The published network: its size, its reach, its inputs and its sense of time."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest
import torch
from torch import Tensor, nn

from infusion_engine.diffusion.hint import Hint, bare
from infusion_engine.diffusion.unet import PublishedUNet, TimeEmbedding


def plain(channels: int = 4) -> PublishedUNet:
    """A small network of positive weights: more in, more out, wherever a path leads."""
    net = PublishedUNet(channels=channels)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.fill_(0.0 if name.endswith("bias") else 1.0 / parameter[0].numel())
    return net.double()


def respond(net: PublishedUNet, x_t: Tensor) -> Tensor:
    """The output for x_t alone, (1, 3, T, H, W)."""
    rest = torch.zeros_like(x_t)
    with torch.no_grad():
        out: Tensor = net(x_t, rest, rest[:, :1], bare(rest), torch.zeros(1, dtype=torch.int64))
    return out


def reach(shape: tuple[int, int, int], where: tuple[int, int, int]) -> Tensor:
    """Boolean (T, H, W): the outputs that one voxel of x_t has a say in."""
    net = plain()
    x_t = torch.zeros(1, 3, *shape, dtype=torch.float64)
    before = respond(net, x_t)
    x_t[(0, slice(None), *where)] = 1e6
    return (respond(net, x_t) != before)[0].any(0)


def test_it_has_the_published_number_of_parameters() -> None:
    """492,963 in 16 convolutions of 3 x 3 x 3."""
    net = PublishedUNet()
    assert sum(p.numel() for p in net.parameters()) == 492_963
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv3d)]
    assert len(convolutions) == 16
    assert {c.kernel_size for c in convolutions} == {(3, 3, 3)}
    assert (convolutions[0].in_channels, convolutions[-1].out_channels) == (23, 3)


def test_it_has_no_normalisation_and_no_dropout() -> None:
    """Convolutions, ReLUs and the time embedding are all there is."""
    leaves = {type(m) for m in PublishedUNet().modules() if not list(m.children())}
    assert leaves == {nn.Conv3d, nn.ReLU, TimeEmbedding}


def test_it_sees_sixteen_frames_each_way() -> None:
    """Sixteen convolutions, one frame each: 33 frames in all."""
    frames = reach((37, 8, 8), (18, 4, 4)).any(-1).any(-1).nonzero().flatten()
    assert (int(frames[0]) - 18, int(frames[-1]) - 18) == (-16, 16)
    assert len(frames) == 33


@pytest.mark.parametrize("axis", ["rows", "columns"])
def test_it_sees_about_fifty_pixels_each_way(axis: str) -> None:
    """Four levels reach 46 to 53 pixels, by where a pixel lies in its 8 x 8 block."""
    farthest = []
    for start in range(8):
        centre = 64 + start
        if axis == "rows":
            seen = reach((1, 144, 8), (0, centre, 4)).any(-1).any(0)
        else:
            seen = reach((1, 8, 144), (0, 4, centre)).any(0).any(0)
        places = seen.nonzero().flatten() - centre
        farthest += [-int(places[0]), int(places[-1])]
    assert (min(farthest), max(farthest)) == (46, 53)


def test_time_embedding_values() -> None:
    """Eight sines then eight cosines of t at rates 1 .. 1/10000, the raw timestep unscaled."""
    for t in (0, 1, 500, 999):
        rates = [10_000 ** (-i / 7) for i in range(8)]
        expected = [math.sin(t * r) for r in rates] + [math.cos(t * r) for r in rates]
        found = TimeEmbedding()(torch.tensor([t]))
        assert found.shape == (1, 16)
        assert found[0].tolist() == pytest.approx(expected, abs=2e-4)


def test_each_clip_of_a_batch_has_its_own_time() -> None:
    """The same input at two timesteps gives two outputs, each as if it were alone."""
    torch.manual_seed(0)
    net = PublishedUNet(channels=4)
    x = torch.randn(1, 3, 2, 8, 8).expand(2, -1, -1, -1, -1)
    both = net(x, x, x[:, :1], bare(x), torch.tensor([3, 900]))
    alone = [net(x[:1], x[:1], x[:1, :1], bare(x[:1]), torch.tensor([t])) for t in (3, 900)]
    assert torch.allclose(both, torch.cat(alone), atol=1e-6)
    assert not torch.allclose(both[0], both[1], atol=1e-4)


NOTHING = bare(torch.zeros(1, 3, 2, 8, 8))


def asked() -> tuple[PublishedUNet, dict[str, Tensor], Tensor]:
    """(network, its inputs by name, timestep)."""
    torch.manual_seed(0)
    net = PublishedUNet(channels=4)
    inputs = {
        "x_t": torch.randn(1, 3, 2, 8, 8),
        "conditioning": torch.randn(1, 3, 2, 8, 8),
        "hole": torch.zeros(1, 1, 2, 8, 8),
    }
    return net, inputs, torch.tensor([500])


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 8), (13, 22), (1, 1)])
def test_any_size_will_do(height: int, width: int) -> None:
    """What is added to come to whole multiples of 8 is missing pixels without noise."""
    torch.manual_seed(0)
    net, t = PublishedUNet(channels=4), torch.tensor([500])
    x_t, known = torch.randn(2, 1, 3, 2, height, width)
    hole = torch.zeros(1, 1, 2, height, width)
    larger = [
        torch.zeros(1, 3, 2, 16, 24),
        torch.zeros(1, 3, 2, 16, 24),
        torch.ones(1, 1, 2, 16, 24),
    ]
    for whole, part in zip(larger, (x_t, known, hole), strict=True):
        whole[..., :height, :width] = part
    rows, columns = -(-height // 8) * 8, -(-width // 8) * 8
    cut = [whole[..., :rows, :columns] for whole in larger]
    with torch.no_grad():
        found = net(x_t, known, hole, bare(x_t), t)
        expected = net(*cut, bare(cut[0]), t)[..., :height, :width]
    assert found.shape == x_t.shape
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("changed", ["x_t", "conditioning", "hole"])
def test_every_input_has_a_say(changed: str) -> None:
    """Noisy clip, conditioning and hole are told apart."""
    net, inputs, t = asked()
    before = net(**inputs, hint=NOTHING, t=t)
    assert before.shape == (1, 3, 2, 8, 8)
    inputs[changed] = inputs[changed] + 1.0
    assert not torch.allclose(net(**inputs, hint=NOTHING, t=t), before, atol=1e-4)


def test_the_hint_has_no_say() -> None:
    """The paper knows none: not even one that is no number changes a bit."""
    net, inputs, t = asked()
    blind = Hint(
        **{f.name: torch.full_like(getattr(NOTHING, f.name), math.nan) for f in fields(Hint)}
    )
    assert torch.equal(net(**inputs, hint=blind, t=t), net(**inputs, hint=NOTHING, t=t))
