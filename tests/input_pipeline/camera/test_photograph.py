"""The camera: each step against an independent reference, and whole photographs."""

import dataclasses

import numpy as np
import pytest

from configs import default
from expocm_jax.colorimetry import srgb_to_linear
from expocm_jax.errors import UserError
from input_pipeline.camera import photograph, resample

NO, UNIT = (0, 0), (1, 1)
CAMERA = photograph.Camera(**default.get_config().camera)
NEUTRAL = dataclasses.replace(
  CAMERA, reading="camera", underexposed=0.0, response_gamma=UNIT, response_s=NO, response_film=NO,
  response_channel=0.0, white_balance=0.0, saturation=UNIT, vignetting=NO, blur=NO,
  read_noise=NO, shot_noise=NO, jpeg_quality=(100, 100),
)  # fmt: skip


def rng(seed=0):
  return np.random.default_rng(seed)


def take_photo(scene, rng, *, size, camera, headroom=16.0):
  return photograph.photograph(scene, rng, size=size, camera=camera, headroom=headroom)


def srgb(linear):
  linear = np.asarray(linear, np.float64)
  return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.fixture(scope="module")
def textured():
  """A panorama of independent pixels over sixteen stops."""
  radiance = 2.0 ** rng().normal(-4, 2, (64, 128, 3))
  return {"radiance": radiance.astype(np.float16), "panorama": True}


@pytest.fixture(scope="module")
def photo():
  """A photograph whose red and green channels tell the row and the column."""
  rows, columns = np.meshgrid(np.arange(60.0), np.arange(90.0), indexing="ij")
  radiance = np.stack([rows, columns, np.ones_like(rows)], axis=-1).astype(np.float32)
  return {"radiance": radiance, "panorama": False}


@pytest.mark.parametrize("share", [0.005, 0.03, 0.2])
def test_exposure_puts_the_share_above_the_clip(share):
  radiance = np.exp(rng().normal(3, 2, (50, 40, 3))).astype(np.float32)
  exposed = radiance * photograph.exposure_for(radiance, share)
  assert (exposed.max(axis=-1) > 1 + 1e-6).mean() == pytest.approx(share, abs=1.01 / 2000)


def test_exposure_of_images_without_range():
  assert photograph.exposure_for(np.zeros((8, 8, 3), np.float32), 0.1) == 1.0
  assert photograph.exposure_for(np.full((8, 8, 3), 4.0, np.float32), 0.1) == 0.25
  lamp = np.zeros((8, 8, 3), np.float32)
  lamp[2, 3] = 50.0
  assert photograph.exposure_for(lamp, 0.1) == pytest.approx(0.02)


def test_a_part_far_darker_than_the_scene_stays_dark():
  radiance = np.ones((80, 80, 3), np.float16)
  radiance[:40] = 2.0**-9
  scene = {"radiance": radiance, "panorama": False}
  for image in (scene, {**scene, "levels": resample.pyramid(radiance)}):
    assert photograph.exposure_limit(image) == 16.0
    brightest = [take_photo(image, rng(i), size=16, camera=NEUTRAL)["hdr"].max() for i in range(20)]
    assert min(brightest) == 2.0**-5 and max(brightest) >= 1.0
  assert photograph.exposure_limit({**scene, "radiance": 0 * radiance}) == np.inf


def test_noise_has_the_stated_variance():
  for level in (0.0, 0.25, 1.0, 4.0):
    noise = (
      photograph.sensor_noise(
        np.full((100, 100, 3), level, np.float32), rng(), read=0.01, shot=0.02
      )
      - level
    )
    assert noise.std() == pytest.approx(np.sqrt(0.01**2 + 0.02**2 * level), rel=0.03)
    assert abs(noise.mean()) < 5 * noise.std() / np.sqrt(noise.size)
  signal = rng().random((4, 4, 3), dtype=np.float32)
  np.testing.assert_array_equal(photograph.sensor_noise(signal, rng(), read=0.0, shot=0.0), signal)


@pytest.mark.parametrize("sigma", [0.3, 0.7, 1.5])
def test_blur_agrees_with_a_plain_convolution(sigma):
  image = rng().random((9, 11, 3)).astype(np.float32)
  radius = int(np.ceil(3 * sigma))
  taps = np.exp(-(np.arange(-radius, radius + 1.0) ** 2) / (2 * sigma**2))
  taps /= taps.sum()
  padded = np.pad(image.astype(np.float64), [(radius, radius)] * 2 + [(0, 0)], mode="edge")
  expected = sum(
    taps[i] * taps[j] * padded[i : i + 9, j : j + 11]
    for i in range(len(taps))
    for j in range(len(taps))
  )
  np.testing.assert_allclose(photograph.gaussian_blur(image, sigma), expected, atol=1e-6)


def test_no_blur():
  image = rng().random((5, 5, 3)).astype(np.float32)
  np.testing.assert_array_equal(photograph.gaussian_blur(image, 0.0), image)


def test_vignetting_takes_the_loss_off_the_corners():
  out = photograph.vignette(np.ones((101, 201, 3), np.float32), 0.2)
  np.testing.assert_allclose(out[50, 100], 1.0, atol=1e-6)
  np.testing.assert_allclose(out[[0, 0, -1, -1], [0, -1, 0, -1]], 0.8, atol=3e-3)
  np.testing.assert_allclose(out[50, 0], 0.9, atol=2e-3)


def test_grade():
  radiance = rng().random((6, 5, 3)).astype(np.float32)
  np.testing.assert_allclose(
    photograph.grade(radiance, gains=[1, 1, 1], saturation=1.0), radiance, atol=1e-7
  )
  np.testing.assert_allclose(
    photograph.grade(radiance, gains=[2, 1, 0.5], saturation=1.0), radiance * [2, 1, 0.5], atol=1e-6
  )
  grey = radiance.astype(np.float64) @ [0.2126, 0.7152, 0.0722]
  for saturation in (0.0, 0.8, 3.0):
    expected = grey[..., None] + saturation * (radiance - grey[..., None])
    np.testing.assert_allclose(
      photograph.grade(radiance, gains=[1, 1, 1], saturation=saturation),
      np.maximum(expected, 0),
      atol=1e-5,
    )


def test_jpeg():
  image = rng().integers(0, 256, (32, 32, 3), dtype=np.uint8)

  def error(quality, subsampled):
    camera = dataclasses.replace(
      CAMERA, jpeg_quality=(quality, quality), chroma_subsampling=float(subsampled)
    )
    out = photograph.jpeg(image, rng(), camera)
    assert out.dtype == np.float32 and out.shape == image.shape
    return np.abs(np.rint(out * 255) - image).mean()

  assert error(100, True) == 0
  assert 0 < error(98, False) < error(60, False) < error(60, True)


def test_photograph_has_the_ranges_of_a_batch(textured, photo):
  for scene in (textured, photo):
    for size, shape in ((24, (24, 24)), ((16, 40), (16, 40)), (1, (1, 1))):
      out = take_photo(scene, rng(), size=size, camera=CAMERA, headroom=8.0)
      for name, limit in (("ldr", 1.0), ("hdr", 8.0)):
        assert out[name].shape == (*shape, 3) and out[name].dtype == np.float32
        assert out[name].flags.c_contiguous
        assert out[name].min() >= 0 and out[name].max() <= limit


def test_all_draws_come_from_the_generator(textured):
  np.random.seed(1)
  first = take_photo(textured, rng(5), size=16, camera=CAMERA)
  np.random.seed(2)
  again = take_photo(textured, rng(5), size=16, camera=CAMERA)
  other = take_photo(textured, rng(6), size=16, camera=CAMERA)
  for name in ("ldr", "hdr"):
    np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first[name], other[name])


def test_a_neutral_camera_records_the_clipped_ground_truth(textured):
  out = take_photo(textured, rng(), size=32, camera=NEUTRAL)
  expected = srgb(np.clip(out["hdr"], 0, 1))
  assert np.abs(out["ldr"] - expected).max() <= 1.01 / 255
  assert out["hdr"].max() > 1.5
  np.testing.assert_array_equal(out["ldr"][out["hdr"] > 1.001], 1.0)


def test_ground_truth_keeps_lens_and_grade_but_not_the_sensor(textured):
  """Blur, vignetting and grade act on both; noise, response and JPEG on the photo alone."""

  def take(**options):
    return take_photo(textured, rng(3), size=32, camera=dataclasses.replace(NEUTRAL, **options))

  plain = take()
  for sensor in (
    {"read_noise": (0.05, 0.05)},
    {"response_gamma": (1.2, 1.2)},
    {"jpeg_quality": (50, 50)},
    {"response_s": (0.5, 0.5)},
    {"response_film": (1.0, 1.0)},
  ):
    out = take(**sensor)
    np.testing.assert_array_equal(out["hdr"], plain["hdr"])
    assert not np.array_equal(out["ldr"], plain["ldr"])
  for lens in (
    {"blur": (1, 1)},
    {"vignetting": (0.5, 0.5)},
    {"saturation": (0.5, 0.5)},
    {"white_balance": 0.2},
  ):
    out = take(**lens)
    assert not np.array_equal(out["hdr"], plain["hdr"])
    assert np.abs(out["ldr"] - srgb(np.clip(out["hdr"], 0, 1))).max() <= 1.01 / 255


def test_the_share_of_clipped_pixels_is_within_the_range(textured):
  shares = [
    (take_photo(textured, rng(i), size=48, camera=NEUTRAL)["hdr"].max(axis=-1) > 1 + 1e-5).mean()
    for i in range(40)
  ]
  low, high = NEUTRAL.clipped_share
  assert 0.9 * low <= min(shares) and max(shares) <= high
  assert np.median(shares) == pytest.approx(np.sqrt(low * high), rel=0.4)  # even in the log
  assert max(shares) / min(shares) > 0.7 * high / low


@pytest.mark.parametrize("kind", ["training", "srgb", "filmic"])
@pytest.mark.parametrize("reading", ["display", "camera"])
def test_under_either_reading_photo_and_truth_agree_where_the_photo_is_reliable(
  textured, reading, kind
):
  ranges = CAMERA if kind == "training" else dataclasses.replace(NEUTRAL, response=kind)
  camera = dataclasses.replace(
    ranges, reading=reading, read_noise=NO, shot_noise=NO, jpeg_quality=(100, 100)
  )
  for seed in range(4):
    photo = take_photo(textured, rng(seed), size=48, camera=camera)
    linear = srgb_to_linear(photo["ldr"])
    good = (photo["ldr"] > 0.2) & (photo["ldr"] < 0.98)
    # Half a code of 8 bits, wherever on the two curves it lies.
    np.testing.assert_allclose(linear[good], photo["hdr"][good], rtol=0.06)
    assert np.abs(np.log2(linear[good] / photo["hdr"][good])).mean() < 0.02
    assert (photo["ldr"][photo["hdr"] > 1.001] == 1).all() and photo["hdr"].max() > 1.01


def test_the_two_readings_are_of_one_photo_and_are_drawn_half_and_half(textured):
  take = lambda seed, reading: take_photo(
    textured, rng(seed), size=16, camera=dataclasses.replace(CAMERA, reading=reading)
  )
  display = 0
  for seed in range(40):
    photos = {reading: take(seed, reading) for reading in ("display", "camera", "both")}
    same = [np.array_equal(photos["both"]["ldr"], photos[r]["ldr"]) for r in ("display", "camera")]
    assert any(same)
    display += same[0]
    codes = 255 * photos["display"]["ldr"]
    np.testing.assert_allclose(codes, np.rint(codes), atol=1e-4)  # as the file has them
    clipped = photos["camera"]["hdr"] > 1
    np.testing.assert_array_equal(
      photos["camera"]["hdr"][clipped], photos["display"]["hdr"][clipped]
    )
  assert 10 < display < 30


def test_a_photo_before_its_reading_is_the_display_readings(textured):
  camera = dataclasses.replace(CAMERA, reading="display")
  codes, exposed, curve = photograph.expose(textured, rng(), size=16, camera=camera)
  photo = take_photo(textured, rng(), size=16, camera=camera, headroom=1e9)
  np.testing.assert_array_equal(codes, photo["ldr"])
  clipped = exposed > 1
  np.testing.assert_array_equal(exposed[clipped], photo["hdr"][clipped])
  np.testing.assert_allclose(srgb(photo["hdr"][~clipped]), curve(exposed)[~clipped], atol=1e-5)


def test_underexposed_photos_are_darker_by_stops_of_the_range(textured):
  def take(seed, **options):
    camera = dataclasses.replace(NEUTRAL, **options)
    return take_photo(textured, rng(seed), size=48, camera=camera, headroom=1e9)

  stops = []
  for seed in range(40):
    plain, dark = take(seed), take(seed, underexposed=1.0, underexposure=(0.5, 3.0))
    factor = (dark["hdr"] / plain["hdr"]).astype(np.float64)  # one for the whole photo
    np.testing.assert_allclose(factor, factor.mean(), rtol=1e-5)
    stops.append(-np.log2(factor.mean()))
    # So a pixel above the clip was above it by as many stops before.
    np.testing.assert_array_equal(dark["hdr"] > 1, plain["hdr"] * np.float32(factor.mean()) > 1)
    assert np.abs(dark["ldr"] - srgb(np.minimum(dark["hdr"], 1))).max() <= 1.01 / 255
  assert 0.5 <= min(stops) < 0.9 and 2.6 < max(stops) <= 3.0
  assert np.mean(stops) == pytest.approx(1.75, abs=0.3)
  some = [take(seed, underexposed=0.3, underexposure=(9.0, 9.0))["hdr"] for seed in range(60)]
  assert 8 <= sum(hdr.max() < take(seed)["hdr"].max() / 2 for seed, hdr in enumerate(some)) <= 28


@pytest.mark.parametrize("radiance", [0.0, 1e-7, 3.0, 6e4])
@pytest.mark.parametrize("panorama", [True, False])
def test_flat_scenes(radiance, panorama):
  scene = {"radiance": np.full((32, 64, 3), radiance, np.float16), "panorama": panorama}
  out = take_photo(scene, rng(), size=16, camera=CAMERA)
  assert np.isfinite(out["ldr"]).all() and np.isfinite(out["hdr"]).all()
  if not radiance:
    assert out["hdr"].max() == 0.0


def test_crops_of_photographs(photo):
  for image in (photo["radiance"], resample.pyramid(photo["radiance"])):
    tops, lefts, scales = [], [], []
    for seed in range(60):
      part = photograph.random_crop(image, rng(seed), size=(12, 15))
      assert part.shape == (12, 15, 3)
      assert part.min() >= 0 and part[..., 0].max() <= 59 and part[..., 1].max() <= 89
      middle = np.diff(part[4:-4, 4:-4, 0], axis=0).mean()
      np.testing.assert_allclose(np.diff(part[4:-4, 4:-4, 1], axis=1).mean(), middle, rtol=0.1)
      tops.append(part[0, 0, 0])
      lefts.append(part[0, 0, 1])
      scales.append(middle)
    assert min(scales) >= 0.95 and max(scales) <= 5.1 and max(scales) / min(scales) > 2.5
    assert np.std(tops) > 5 and np.std(lefts) > 5


def test_a_small_photograph_is_magnified_whole(photo):
  part = photograph.random_crop(photo["radiance"][:10, :15], rng(), size=(20, 30))
  assert part[..., 0].min() < 0.3 and part[..., 0].max() > 8.7
  assert part[..., 1].min() < 0.3 and part[..., 1].max() > 13.7


def test_half_of_the_views_are_mirrored(photo):
  flips = [
    np.diff(photograph.view(photo, rng(i), size=(8, 8), camera=NEUTRAL)[4, :, 1]).mean() < 0
    for i in range(60)
  ]
  assert 15 < sum(flips) < 45


@pytest.mark.parametrize(
  "options, problem",
  [
    ({"fov": (100, 30)}, "config.camera.fov"),
    ({"fov": (30, 180)}, "config.camera.fov"),
    ({"clipped_share": (0.1,)}, "config.camera.clipped_share"),
    ({"jpeg_quality": (0, 90)}, "config.camera.jpeg_quality"),
    ({"response_s": (0, 1.5)}, "config.camera.response_s"),
    ({"response_film": (-0.1, 1)}, "config.camera.response_film"),
    ({"film_exponent": (0, 1)}, "config.camera.film_exponent"),
    ({"film_sigma": (0, 1)}, "config.camera.film_sigma"),
    ({"underexposure": (3, 0)}, "config.camera.underexposure"),
    ({"underexposed": 1.5}, "config.camera.underexposed"),
    ({"reading": "odd"}, "config.camera.reading=odd: unknown; use one of both, display, camera"),
    ({"response": "odd"}, "config.camera.response=odd: unknown; use one of training, srgb, filmic"),
    ({"chroma_subsampling": 2.0}, "config.camera.chroma_subsampling"),
  ],
)
def test_ranges_that_make_no_sense(options, problem):
  with pytest.raises(UserError, match=problem):
    dataclasses.replace(CAMERA, **options)
