"""The phantom: label tables like NIH-CXR-LT's, and images that depend on their row alone."""

import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunecxr.data import phantom
from prunecxr.data.phantom import CLASSES, DISEASES, PhantomImages, class_frequencies, draw_radiograph, phantom_tables
from prunecxr.errors import UserError

NO_SIGN = np.zeros(len(DISEASES), bool)


def only(name: str) -> np.ndarray:
    """The signs of an image that shows one disease."""
    return np.array([disease == name for disease in DISEASES])


@pytest.fixture(scope="module")
def large():
    return phantom_tables(40_000, 12_000, 21_081, seed=3)


@pytest.fixture(scope="module")
def small():
    return phantom_tables(1500, 200, 500, seed=0)


def test_classes_follow_the_label_table():
    assert len(CLASSES) == 20
    assert CLASSES[0] == "Atelectasis"
    assert CLASSES[-2:] == ("Calcification of the Aorta", "No Finding")
    assert set(phantom.MARKS) | set(phantom.ANATOMY) == set(DISEASES)


def test_figures_are_paper_a_table_2():
    counts = dict(zip(CLASSES, np.rint(class_frequencies("train") * 78_506), strict=True))
    assert (counts["No Finding"], counts["Infiltration"], counts["Pneumomediastinum"]) == (44_625, 12_739, 88)
    total = sum(np.rint(class_frequencies(s) * n) for s, n in (("train", 78_506), ("val", 12_533), ("test", 21_081)))
    assert dict(zip(CLASSES, total, strict=True))["Hernia"] == 227


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_marginals_at_large_n(large, split):
    table, expected = large[split], class_frequencies(split)
    share = table.labels.mean(axis=0)
    assert np.abs(share[:-1] - expected[:-1]).max() * len(table) <= 0.5 + 1e-9
    # 'No Finding' follows from the others; the copula reproduces it within three percentage points.
    assert abs(share[-1] - expected[-1]) < 0.03


def test_cooccurrence_at_large_n(large):
    """The copula fitted to validation + test, seen in the test split, whose marginals are close to the pool's."""
    _, together = phantom._read_figures("cooccurrence.csv")
    pairs = np.triu_indices(len(DISEASES), 1)
    real = together[pairs]
    labels = large["test"].labels[:, :-1].astype(int)
    drawn = (labels.T @ labels)[pairs]
    assert np.corrcoef(np.sqrt(real), np.sqrt(drawn))[0, 1] > 0.98
    emphysema, air_in_skin = DISEASES.index("Emphysema"), DISEASES.index("Subcutaneous Emphysema")
    assert labels[labels[:, air_in_skin] == 1, emphysema].mean() > 0.75  # 916 of 1,034 in NIH-CXR-LT


def test_latent_correlation_is_a_correlation_matrix():
    correlation = phantom._latent_correlation()
    assert np.allclose(np.diag(correlation), 1)
    assert np.linalg.eigvalsh(correlation).min() > 0


def test_pair_probability_of_known_cases():
    zero, half = np.zeros((1, 1)), np.full((1, 1), 0.5)
    assert phantom._both_above(zero, zero, half)[0, 0] == pytest.approx(1 / 3)  # 1/4 + asin(1/2) / (2 pi)
    assert phantom._both_above(half, half, zero)[0, 0] == pytest.approx(0.30853754**2)


@settings(max_examples=20, deadline=None)
@given(
    counts=st.tuples(*[st.integers(phantom.MIN_IMAGES, 400)] * 3),
    seed=st.integers(0, 2**32),
)
def test_tables_are_well_formed(counts, seed):
    tables = phantom_tables(*counts, seed=seed)
    patients = [set(t.subjects) for t in tables.values()]
    assert sum(map(len, patients)) == len(set.union(*patients))
    for table, n in zip(tables.values(), counts, strict=True):
        assert len(table) == n == len(set(table.ids))
        assert table.labels.shape == (n, 20)
        assert table.labels.dtype == np.uint8
        assert table.classes == CLASSES
        assert list(table.ids) == sorted(table.ids)
        assert all(i == f"{s}_{i[9:12]}.png" and len(s) == 8 for i, s in zip(table.ids, table.subjects, strict=True))
        assert np.array_equal(table.labels[:, -1] == 1, table.labels[:, :-1].sum(axis=1) == 0)


def test_tables_are_reproducible_and_seeded(small):
    again = phantom_tables(1500, 200, 500, seed=0)
    other = phantom_tables(1500, 200, 500, seed=1)
    for split, table in small.items():
        assert np.array_equal(table.ids, again[split].ids)
        assert np.array_equal(table.labels, again[split].labels)
        assert not np.array_equal(table.ids, other[split].ids)


def test_patients_have_several_images_and_alike_labels(small):
    _, size = np.unique(small["train"].subjects, return_counts=True)
    assert np.median(size) <= 2
    assert 20 < size.max() <= 1500 / phantom.PATIENT_SHARE
    table = small["train"]
    same = table.subjects[1:] == table.subjects[:-1]
    agree = (table.labels[1:, -1] == table.labels[:-1, -1]).astype(float)
    assert agree[same].mean() > agree[~same].mean() + 0.03


def test_floor_of_the_rare_classes(small):
    for split, n in (("train", 1500), ("test", 500)):
        counts = np.array(list(small[split].counts().values()))[:-1]
        expected = np.rint(class_frequencies(split)[:-1] * n)
        floor = min(phantom.FLOOR, n // phantom.FLOOR_SHARE)
        assert floor >= 3
        assert np.array_equal(counts, np.maximum(expected, floor))


@pytest.mark.parametrize("size", [32, 33, 64, 96, 512])
def test_sizes(small, size):
    image = PhantomImages(small["val"], size).read(0)
    assert image.shape == (size, size)
    assert image.dtype == np.uint8
    assert image.std() > 20


def test_same_picture_at_every_size():
    coarse = draw_radiograph("00000001_000.png", "00000001", only("Mass"), 64)
    fine = draw_radiograph("00000001_000.png", "00000001", only("Mass"), 256)
    shrunk = fine.reshape(64, 4, 64, 4).mean(axis=(1, 3))
    assert np.corrcoef(coarse.ravel(), shrunk.ravel())[0, 1] > 0.97


def test_images_depend_on_neither_order_nor_table(small):
    table = small["test"]
    images = PhantomImages(table, 64, seed=5)
    first = [images.read(i) for i in range(6)]
    chosen = np.array([5, 2, 0])
    part = type(table)(table.ids[chosen], table.subjects[chosen], table.labels[chosen], table.classes)
    other = PhantomImages(part, 64, seed=5)
    for position in (2, 0, 1):
        assert np.array_equal(other.read(position), first[chosen[position]])
    assert not np.array_equal(PhantomImages(table, 64, seed=6).read(0), first[0])


def test_images_survive_pickling(small):
    images = PhantomImages(small["val"], 48, seed=2)
    copy = pickle.loads(pickle.dumps(images))
    assert copy.ids == images.ids
    assert copy.stamps() == images.stamps()
    assert np.array_equal(copy.read(3), images.read(3))


def test_stamps_change_with_whatever_changes_the_image(small):
    table = small["val"]
    stamps = PhantomImages(table, 64).stamps()
    assert len(set(stamps)) == len(table)
    assert set(stamps).isdisjoint(PhantomImages(table, 64, seed=1).stamps())
    assert set(stamps).isdisjoint(PhantomImages(table, 32).stamps())
    flipped = table.labels.copy()
    flipped[0, 0] ^= 1
    changed = PhantomImages(type(table)(table.ids, table.subjects, flipped, table.classes), 64).stamps()
    assert [a == b for a, b in zip(stamps, changed, strict=True)] == [False] + [True] * (len(table) - 1)


def test_label_noise_is_small_and_reproducible(small):
    table = small["train"]
    images = PhantomImages(table, 64)
    drawn = np.array([images.signs(i) for i in range(len(table))])
    labelled = table.labels[:, :-1] == 1
    assert 0 < (labelled & ~drawn).sum() / labelled.sum() < 0.05
    assert 0 < (~labelled & drawn).any(axis=1).mean() < 0.03
    assert np.array_equal(drawn[7], images.signs(7))


def test_images_of_a_patient_share_the_anatomy():
    def picture(subject, visit):
        return draw_radiograph(f"{subject}_{visit:03d}.png", subject, NO_SIGN, 64).astype(float)

    subjects = [f"{i:08d}" for i in range(30)]
    first, second = ([picture(s, visit) for s in subjects] for visit in (0, 1))
    distance = np.array([[np.abs(a - b).mean() for b in second] for a in first])
    strangers = distance[~np.eye(30, dtype=bool)].mean()
    assert np.diag(distance).mean() < strangers


# Where each sign may lie, in pixels of 64: rows and columns that hold most of the change it makes.
EVERYWHERE = (slice(0, 64), slice(0, 64))
REGIONS = {
    "Atelectasis": (slice(26, 56), slice(4, 60)),
    "Cardiomegaly": (slice(24, 54), slice(12, 56)),
    "Consolidation": (slice(6, 40), slice(6, 58)),
    "Edema": (slice(14, 54), slice(6, 58)),
    "Effusion": (slice(24, 60), slice(6, 58)),
    "Hernia": (slice(30, 56), slice(18, 46)),
    "Pneumonia": (slice(24, 56), slice(8, 56)),
    "Fibrosis": (slice(22, 58), slice(6, 58)),
    "Pneumoperitoneum": (slice(38, 60), slice(8, 56)),
    "Pneumomediastinum": (slice(0, 40), slice(18, 46)),
    "Tortuous Aorta": (slice(14, 52), slice(28, 52)),
    "Calcification of the Aorta": (slice(12, 38), slice(28, 44)),
}


@pytest.mark.parametrize("name", DISEASES)
def test_every_sign_is_visible_where_it_belongs(name):
    for visit in range(8):
        image_id = f"00000042_{visit:03d}.png"
        without = draw_radiograph(image_id, "00000042", NO_SIGN, 64).astype(int)
        with_sign = draw_radiograph(image_id, "00000042", only(name), 64).astype(int)
        change = np.abs(with_sign - without)
        # The noise is the same in both: what changes is the sign.
        assert (change > 12).sum() >= 12
        region = REGIONS.get(name, EVERYWHERE)
        assert change[region].sum() > 0.85 * change.sum()


def test_air_in_the_skin_lies_outside_the_lungs():
    without = draw_radiograph("00000042_000.png", "00000042", NO_SIGN, 64).astype(int)
    change = np.abs(draw_radiograph("00000042_000.png", "00000042", only("Subcutaneous Emphysema"), 64) - without)
    assert change[16:40, 16:48].sum() < 0.05 * change.sum()


def test_signs_add_up():
    """One more sign leaves the place and the look of the others alone."""
    both = only("Nodule") | only("Pneumoperitoneum")
    image = [draw_radiograph("00000042_000.png", "00000042", s, 64).astype(int) for s in (only("Nodule"), both)]
    assert np.abs(image[0] - image[1])[:30].max() <= 1


def test_speed(small):
    images = PhantomImages(small["train"], 64)
    images.read(0)
    start = time.process_time()
    for index in range(100):
        images.read(index)
    # Some 1,400 a second on one core; a loaded machine gets a wide margin.
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize("size", [0, 31, 513])
def test_bad_sizes(small, size):
    with pytest.raises(UserError, match=f"image size {size}: choose 32 to 512"):
        PhantomImages(small["val"], size)


@pytest.mark.parametrize("counts", [(0, 50, 50), (50, -1, 50), (50, 50, phantom.MIN_IMAGES - 1)])
def test_too_few_images(counts):
    with pytest.raises(UserError, match="choose 8 to"):
        phantom_tables(*counts)


def test_negative_seed(small):
    with pytest.raises(UserError, match="seed=-1"):
        phantom_tables(50, 50, 50, seed=-1)
    with pytest.raises(UserError, match="seed=-1"):
        PhantomImages(small["val"], 64, seed=-1)


def test_foreign_classes(small):
    table = small["val"]
    with pytest.raises(UserError, match="classes must be Atelectasis"):
        PhantomImages(type(table)(table.ids, table.subjects, table.labels[:, :3], CLASSES[:3]), 64)


def test_contact_sheet_shows_every_class():
    sheet = phantom.contact_sheet(size=64)
    assert sheet.size == (5 * 64, 4 * 80)
