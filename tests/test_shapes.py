"""Laws of the drawn shapes: every factor can be read off an image, and the images are the same for everyone."""

import hashlib

import numpy as np
import pytest

from tfvae import data
from tfvae.data import shapes

SHA256 = "91284ef8390f06be4c87ed4cc3b3edd3f99e78945b727581102d44222fcdbaf4"
FINGERPRINT = "1ea80cdaf641d3d79d0b44c1e320f480029b4befd376ddd7cae28404eb73a1c9"
PIXELS = np.arange(32) + 0.5


@pytest.fixture(scope="module")
def drawn():
    images, factors = shapes.render()
    return images[..., 0].astype(float) / 255, factors


def test_every_combination_of_factors_is_there_once(drawn):
    images, factors = drawn
    assert images.shape == (6144, 32, 32) and factors.shape == (6144, 5)
    assert list(shapes.FACTORS) == ["shape", "scale", "orientation", "x", "y"]
    assert tuple(factors.max(0) + 1) == tuple(shapes.FACTORS.values()) and len(np.unique(factors, axis=0)) == 6144
    assert len(np.unique((images * 255).astype(np.uint8).reshape(6144, -1), axis=0)) == 6144


def test_the_area_is_the_square_of_the_scale(drawn):
    images, factors = drawn
    expected = np.array(shapes.SCALES)[factors[:, 1]] ** 2
    np.testing.assert_allclose(images.sum((1, 2)), expected, rtol=0.03)  # of 16 x 16 points in a pixel


def test_the_centre_of_mass_is_the_place(drawn):
    images, factors = drawn
    mass = images.sum((1, 2))
    for axis, column in ((1, 3), (2, 4)):
        centre = images.sum(axis) @ PIXELS / mass
        np.testing.assert_allclose(centre, np.array(shapes.PLACES)[factors[:, column]], atol=0.07)


def test_the_orientation_is_an_angle_of_the_image_and_has_no_second_meaning(drawn):
    """A third moment that turns with the shape: cubes of the places, as a complex number, have the phase of a turn."""
    images, factors = drawn
    x, y = (np.array(shapes.PLACES)[factors[:, k], None, None] for k in (3, 4))
    place = (PIXELS - x) + 1j * (PIXELS[:, None] - y)  # [n, 32, 32]
    moment = (images * place * np.abs(place) ** 2).sum((1, 2))
    start = {s: np.angle(moment[(factors[:, 0] == s) & (factors[:, 2] == 0)].mean()) for s in range(3)}
    turn = np.angle(moment * np.exp(-1j * (np.array(list(start.values()))[factors[:, 0]] + factors[:, 2] * np.pi / 4)))
    assert np.abs(turn).max() < 0.3 < np.pi / 8  # radians: nearer to its own eighth than to any other


def test_opposite_orientations_are_mirrored_twice():
    middle = shapes.sprite(0, 3, 1), shapes.sprite(0, 3, 5)
    assert np.array_equal(middle[0][::-1, ::-1], middle[1])
    assert np.array_equal(np.rot90(shapes.sprite(2, 1, 3), -1), shapes.sprite(2, 1, 5))  # a quarter, clockwise


def test_edges_are_grey_and_nothing_is_cut_off(drawn):
    images, _ = drawn
    assert images.max() == 1.0 and len(np.unique(images)) > 30
    assert max(images[:, 0].max(), images[:, -1].max(), images[:, :, 0].max(), images[:, :, -1].max()) < 0.05


def test_splits_hold_every_image_once_with_its_factors():
    splits = data.load("shapes", binarization=data.NoBinarization())
    assert splits.sizes == {"train": 4916, "validation": 614, "test": 614} and splits.shape == (32, 32, 1)
    images, _ = shapes.render()
    seen = np.concatenate([splits.labels[split] for split in splits.sizes])
    assert seen.shape == (6144, 5) and seen.dtype == np.int64
    index = np.ravel_multi_index(seen.T, tuple(shapes.FACTORS.values()))
    assert np.array_equal(np.sort(index), np.arange(6144))
    x = np.concatenate([splits.array(split) for split in splits.sizes])
    np.testing.assert_allclose(x, images[index] / 255, rtol=1e-6)
    for split in ("validation", "test"):  # each value of each factor is in each
        assert tuple(len(np.unique(values)) for values in splits.labels[split].T) == tuple(shapes.FACTORS.values())


def test_the_default_draws_and_leaves_labels_alone():
    splits = data.load("shapes", batch_size=100)
    assert isinstance(splits.binarization, data.DynamicBinarization) and "shapes" in data.names()
    assert set(np.unique(next(iter(splits.train)))) == {0.0, 1.0} and len(splits.labels["train"]) == 4916


def test_the_images_are_the_same_for_everyone():
    images, _ = shapes.render()
    assert hashlib.sha256(images.tobytes()).hexdigest() == SHA256
    assert data.load("shapes", seed=7).fingerprint == FINGERPRINT
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0
