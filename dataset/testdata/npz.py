"""Writes the .npz files that npz_test.go reads, with NumPy itself.

Run it in this folder: python3 npz.py. Element i of X counts up from 0 in row-major order, whatever the type and the
order in memory, and y has the labels 0, 1, 2, 0.
"""
import numpy as np

y = np.array([0, 1, 2, 0])
flat = np.arange(4 * 3).reshape(4, 3)
images = np.arange(4 * 3 * 2 * 2).reshape(4, 3, 2, 2)

np.savez("features.npz", X=flat.astype(np.float64), y=y)
np.savez_compressed("images.npz", X=images.astype(np.uint8), y=y.astype(np.uint8),
                    X_test=images[:2].astype(np.uint8), y_test=y[:2].astype(np.int32))
np.savez_compressed("fortran.npz", X=np.asfortranarray(images.astype(np.float32)), y=y.astype(">i2"))
np.savez_compressed("half.npz", X=(flat / 8 - 0.5).astype(np.float16), y=y.astype(np.uint64).reshape(4, 1))
np.savez_compressed("big_endian.npz", X=flat.astype(">f8"), y=y.astype(np.int8))
