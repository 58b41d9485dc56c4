import jax
import numpy as np

from expocm_jax.ops import order_statistics


def test_the_kth_smallest_is_exact():
  values = np.random.default_rng(0).normal(0, 1, (3, 4, 5, 2)).astype(np.float32)
  values[0, 0] = -0.0
  values[1] = 2.5
  ordered = np.sort(values.reshape(3, -1))
  find = jax.jit(order_statistics.kth_smallest)
  for k in ([1, 1, 1], [40, 40, 40], [17, 3, 9]):
    got = find(values, np.array(k, np.int32).reshape(3, 1, 1, 1))
    np.testing.assert_array_equal(np.ravel(got), ordered[range(3), np.array(k) - 1])
  np.testing.assert_array_equal(np.ravel(find(values, 7)), ordered[:, 6])
