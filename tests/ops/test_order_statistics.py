import jax
import numpy as np

from expocm_jax.ops import order_statistics


def test_the_kth_smallest_is_exact():
  values = np.random.default_rng(0).normal(0, 1, (3, 4, 5, 2)).astype(np.float32)
  values[0, 0] = -0.0
  values[1] = 2.5
  valid = np.ones((3, 4, 5, 1), np.float32)
  valid[2, 1:] = 0
  find = jax.jit(order_statistics.kth_smallest)
  for k in ([1, 1, 1], [40, 40, 10], [17, 3, 9]):
    got = np.asarray(find(values, valid, np.array(k)))
    wanted = [np.sort(v[m[..., 0] > 0], axis=None)[i - 1] for v, m, i in zip(values, valid, k)]
    np.testing.assert_array_equal(got[:, 0, 0, 0], wanted)
