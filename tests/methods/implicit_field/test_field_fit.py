"""Points, training and the fit of a code: what is drawn, what changes and what must not."""

import numpy as np
import pytest
import torch
from unseg_bench_methods.implicit_field.classes import Scan
from unseg_bench_methods.implicit_field.cube import Cube
from unseg_bench_methods.implicit_field.fit import decode, fit_codes, restore
from unseg_bench_methods.implicit_field.options import FitOptions, NetworkOptions, ScanOptions, TrainingOptions
from unseg_bench_methods.implicit_field.points import ScanSet, coordinates, unflatten
from unseg_bench_methods.implicit_field.training import batches, build, halved, loss_on, optimizer

from unseg_bench.blocks.training import fit_network

SIDE = 10
NETWORK = NetworkOptions(octaves=2, code=8, width=32, layers=3, join_after=2, dropout=0.0)
TRAINING = TrainingOptions(steps=150, scans=2, points=80, learning_rate=5e-3, code_learning_rate=1e-2)
HARDLY_ANY = FitOptions(steps=(1, 1), points=(1, 1), learning_rate=1e-9)
FIT = FitOptions(steps=(30, 10), points=(150, 300), learning_rate=3e-2)


def make_scan(seed):
    """Half the cube is brain; classes are blocks that differ from scan to scan, 3 is the background."""
    brain = np.zeros((SIDE, SIDE, SIDE), bool)
    brain[1:9, 2:9, 3:9] = True
    coarse = np.random.default_rng(seed).integers(0, 3, (2, 2, 2)).astype(np.uint8)
    classes = np.where(brain, np.kron(coarse, np.ones((5, 5, 5), np.uint8)), np.uint8(3))
    box = (slice(1, 9), slice(2, 9), slice(3, 9))
    return Scan(Cube(SIDE, 4.0, box, box), classes, brain)


@pytest.fixture(scope="module")
def scans():
    return [make_scan(seed) for seed in range(4)]


class Work:
    seed, device = 5, "cpu"

    def __init__(self, scratch):
        self.scratch = scratch

    def progress(self, done, total, note=""):
        assert done <= total


@pytest.fixture(scope="module")
def trained(scans, tmp_path_factory):
    points = ScanSet(scans, "cpu", 1.0)
    network = build(NETWORK, ScanOptions(side=SIDE), np.zeros(3, np.float32), len(scans), 0)
    norms = []

    def watched(net, batch):
        norms.append(float(net.codes.detach().norm(dim=1).max()))
        return loss_on(points, TRAINING.points)(net, batch)

    log = fit_network(
        network,
        batch_for=batches(TRAINING, len(scans), TRAINING.steps, 1),
        loss_of=watched,
        optimizer_of=optimizer(network, TRAINING),
        learning_rate_of=lambda step: TRAINING.learning_rate * halved(step, TRAINING.steps),
        steps=TRAINING.steps,
        work=Work(tmp_path_factory.mktemp("scratch")),
    )
    norms.append(float(network.codes.detach().norm(dim=1).max()))
    network.field.requires_grad_(False)
    return network, log, norms


def test_coordinates_are_voxel_centres_and_symmetric():
    found = coordinates(torch.arange(4), 4)
    torch.testing.assert_close(found, torch.tensor([-0.75, -0.25, 0.25, 0.75]))


def test_drawn_classes_are_those_of_the_drawn_places(scans):
    points = ScanSet(scans, "cpu", 0.5)
    which = torch.tensor([2, 0])
    places, classes = points.draw(which, 400)
    voxels = ((places + 1) * SIDE / 2 - 0.5).round().long().numpy()
    for row, number in enumerate(which.tolist()):
        x, y, z = voxels[row].T
        np.testing.assert_array_equal(scans[number].classes[x, y, z], classes[row].numpy())
        assert scans[number].brain[x, y, z][200:].all()
        assert not scans[number].brain[x, y, z][:200].all()
    torch.testing.assert_close(coordinates(torch.from_numpy(voxels), SIDE), places)


def test_the_whole_cube_is_drawn_from_evenly(scans):
    places, _ = ScanSet(scans, "cpu", 1.0).draw(torch.tensor([0]), 60_000)
    voxels = ((places[0] + 1) * SIDE / 2 - 0.5).round().long().numpy()
    for axis in voxels.T:
        counts = np.bincount(axis, minlength=SIDE)
        assert len(counts) == SIDE
        assert np.abs(counts / 6000 - 1).max() < 0.06


@pytest.mark.parametrize("cube_share", [1.0, 0.5, 0.0])
def test_no_point_comes_from_a_slice_that_is_not_allowed(scans, cube_share):
    allowed = [np.isin(np.arange(SIDE), slices) for slices in ([4, 7], [5], [3, 8], [4])]
    places, _ = ScanSet(scans, "cpu", cube_share, allowed).draw(torch.arange(4), 300)
    slices = ((places[..., 2] + 1) * SIDE / 2 - 0.5).round().long()
    assert [set(row.tolist()) for row in slices] == [{4, 7}, {5}, {3, 8}, {4}]


def test_training_learns_and_keeps_codes_in_the_ball(trained):
    _, log, norms = trained
    assert log.final_loss < 0.7 * log.losses[0]
    assert max(norms[1:]) <= 1 + 1e-6
    assert max(norms[1:]) > 0.99


def test_trained_codes_belong_to_their_scans(trained, scans):
    network, _, _ = trained
    first, second = (restore(network.field, network.codes.detach()[number], scans[0]) for number in (0, 1))
    brain = scans[0].brain
    assert not np.array_equal(first[1], second[1])
    assert first[0][brain].mean() < second[0][brain].mean()


def test_rate_of_the_codes_is_their_own(trained):
    network, _, _ = trained
    adam = optimizer(network, TRAINING)(iter(()))
    assert [group["params"] == [network.codes] for group in adam.param_groups] == [False, True]
    assert adam.param_groups[1]["rate_factor"] == pytest.approx(2.0)
    assert [halved(step, 2001) for step in (0, 500, 501, 1001, 1501, 2000)] == [1, 1, 0.5, 0.25, 0.125, 0.125]


def test_the_penalty_grows_over_the_first_twentieth():
    batch_for = batches(TrainingOptions(code_penalty=1e-4), 3, 2000, 1)
    weights = [float(batch_for(step)[1][0]) for step in (0, 50, 100, 1999)]
    assert weights == pytest.approx([0, 5e-5, 1e-4, 1e-4])
    assert sorted(batch_for(5)[0].tolist()) == [0, 1, 2]


def test_fit_lowers_the_cross_entropy_and_leaves_the_network(trained):
    network, _, _ = trained
    before = {name: value.clone() for name, value in network.field.state_dict().items()}
    new = make_scan(1)
    start, _ = fit_codes(network.field, ScanSet([new], "cpu", 1.0), HARDLY_ANY, "float32", 3)
    codes, losses = fit_codes(network.field, ScanSet([new], "cpu", 1.0), FIT, "float32", 3)
    assert len(losses) == 40
    before_fit, after_fit = (restore(network.field, code, new)[0].mean() for code in (start[0], codes[0]))
    own = restore(network.field, network.codes.detach()[1], new)[0].mean()
    assert own <= after_fit + 0.05 < before_fit + 0.05
    assert before_fit - after_fit > 0.25 * (before_fit - own)
    assert all(torch.equal(before[name], value) for name, value in network.field.state_dict().items())
    first, second = (restore(network.field, codes[0], new)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("capped", [True, False])
def test_the_code_leaves_the_ball_only_where_the_option_says_so(trained, capped):
    network, _, _ = trained
    norms = []

    def watch(_, inputs):
        norms.append(float(inputs[0].detach().norm(dim=1).max()))

    handle = network.field.register_forward_pre_hook(watch)
    options = FIT.model_copy(update={"cap": capped, "learning_rate": 0.2})
    codes, _ = fit_codes(network.field, ScanSet([make_scan(9)], "cpu", 1.0), options, "float32", 3)
    handle.remove()
    highest = max(*norms[1:], float(codes.norm()))
    assert (highest <= 1 + 1e-6) is capped


def test_cases_fitted_together_are_fitted_as_if_alone(trained):
    network, _, _ = trained
    new = [make_scan(seed) for seed in (1, 8, 2)]
    together, _ = fit_codes(network.field, ScanSet(new, "cpu", 0.5), FIT, "float32", 3)
    for number, scan in enumerate(new):
        alone, _ = fit_codes(network.field, ScanSet([scan], "cpu", 0.5), FIT, "float32", 3)
        torch.testing.assert_close(together[number], alone[0], atol=1e-4, rtol=0)


def test_dense_decode_is_that_of_the_training_coordinates(trained, scans):
    network, _, _ = trained
    code = network.codes.detach()[0]
    numbers = np.arange(SIDE**3)
    dense = decode(network.field, code, numbers, SIDE)
    chosen = torch.tensor([3, 999, 555])
    drawn = network.field(code[None], coordinates(unflatten(chosen, SIDE), SIDE)[None])[0]
    torch.testing.assert_close(dense[chosen].softmax(1), drawn.softmax(1), atol=1e-6, rtol=0)
    surprise, decoded = restore(network.field, code, scans[0])
    at = tuple(unflatten(torch.tensor(555), SIDE).tolist())
    own = int(scans[0].classes[at])
    assert surprise[at] == pytest.approx(-float(dense[555].log_softmax(0)[own]), abs=1e-5)
    assert decoded[at] == int(dense[555].argmax())
    outside = np.ones_like(scans[0].brain)
    outside[scans[0].cube.inner] = False
    assert not surprise[outside].any()
