#!/usr/bin/env python3
"""Writes a folder in the binary format of CIFAR-10 with images of Fashion-MNIST, padded to 32x32 and grey in all three
channels: real images for trying a config where CIFAR-10 itself cannot be fetched.

    python3 fashion_as_cifar.py FOLDER [IMAGES_A_BATCH]
"""
import gzip
import os
import sys

SOURCE = "/usr/share/datasets/fashion-mnist"  # Debian's dataset-fashion-mnist
CLASSES = "t-shirt trouser pullover dress coat sandal shirt sneaker bag boot".split()


def read(name, header):
    with gzip.open(os.path.join(SOURCE, name)) as f:
        return f.read()[header:]


def records(part, start, count):
    images, labels = read(f"{part}-images-idx3-ubyte.gz", 16), read(f"{part}-labels-idx1-ubyte.gz", 8)
    for i in range(start, start + count):
        rows = [images[784 * i + 28 * r:784 * i + 28 * (r + 1)] for r in range(28)]
        plane = bytes(64) + b"".join(bytes(2) + row + bytes(2) for row in rows) + bytes(64)
        yield labels[i:i + 1] + plane * 3


def main():
    folder, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
    os.makedirs(folder, exist_ok=True)
    for b in range(5):
        with open(os.path.join(folder, f"data_batch_{b + 1}.bin"), "wb") as f:
            f.writelines(records("train", b * count, count))
    with open(os.path.join(folder, "test_batch.bin"), "wb") as f:
        f.writelines(records("t10k", 0, count))
    with open(os.path.join(folder, "batches.meta.txt"), "w") as f:
        f.write("\n".join(CLASSES) + "\n")


if __name__ == "__main__":
    main()
