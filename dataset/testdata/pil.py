"""Writes small images of every kind and what PIL makes of them, for pil_test.go.

Run it in this folder with Pillow (made with 13.0): python3 pil.py. Beside NAME.png or NAME.jpg, the file NAME.rgb has the bytes of
Image.open(...).convert("RGB"), row by row, and NAME.grey those of convert("L"), of a larger image behind resize(..., Image.BICUBIC). Nothing
turns pixels by their EXIF orientation.
"""
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path("pil")
HERE.mkdir(exist_ok=True)
random = np.random.RandomState(1)
SIZE = 8


def write(name, image, **options):
    image.save(HERE / name, **options)
    read = Image.open(HERE / name)
    for kind, mode in ("rgb", "RGB"), ("grey", "L"):
        pixels = read.convert(mode).resize((SIZE, SIZE), Image.BICUBIC)
        (HERE / name).with_suffix("." + kind).write_bytes(pixels.tobytes())


def noise(*channels):
    return random.randint(0, 256, (SIZE, SIZE, *channels), dtype=np.uint8)


rgba = noise(4)
rgba[0, :, 3] = 0  # colours that are there though nobody sees them
write("rgba.png", Image.fromarray(rgba))
write("rgb.png", Image.fromarray(noise(3)))
write("la.png", Image.fromarray(noise(2), "LA"))
write("l.png", Image.fromarray(noise()))
write("bilevel.png", Image.fromarray(noise()).convert("1"))
palette = Image.fromarray(noise(3)).quantize(16)
write("palette.png", palette)
write("transparent_palette.png", palette, transparency=bytes([0, 128] + [255] * 14))
write("grey_jpeg.jpg", Image.fromarray(noise()), quality=95)
smooth = np.add.outer(np.arange(SIZE) * 20, np.arange(SIZE) * 10).astype(np.uint8)
colours = Image.fromarray(np.stack([smooth, 255 - smooth, smooth // 2 + 60], -1))
write("colour_jpeg.jpg", colours, quality=100, subsampling=0)
exif = Image.Exif()
exif[0x0112] = 6
write("turned_jpeg.jpg", colours, quality=100, subsampling=0, exif=exif)
write("turned_png.png", colours, exif=exif)
write("cmyk.jpg", colours.convert("CMYK"), quality=100, subsampling=0)
write("shrunk.png", Image.fromarray(random.randint(0, 256, (21, 30, 3), dtype=np.uint8)))
# Black and white overshoots at every edge, and what is cut at 0 and 255 between the two passes makes a difference then.
for name, height, width in ("contrast", 37, 29), ("enlarged", 5, 6), ("columns", 40, SIZE), ("rows", SIZE, 23), ("mixed", 3, 200):
    write(f"{name}.png", Image.fromarray(255 * random.randint(0, 2, (height, width, 3), dtype=np.uint8)))
