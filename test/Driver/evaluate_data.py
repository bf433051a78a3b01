# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: evaluate_data.py DIGITS_TEST.npz DIRECTORY: labelled digits in every form, and damaged ones."""
import os
import struct
import sys
import zlib

import numpy

data = numpy.load(sys.argv[1])
root = sys.argv[2]
images, labels = data["image"][:60], data["label"][:60]
for name in ("images", "color", "damaged", "cut", "other"):
    os.makedirs(os.path.join(root, name))


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(pixels):
    """pixels: rows x columns (gray) or rows x columns x 3 of bytes."""
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def write(name, content):
    with open(os.path.join(root, name), "wb") as file:
        file.write(content)


numpy.save(os.path.join(root, "images.npy"), images)
numpy.save(os.path.join(root, "labels.npy"), labels)
lines = ["file,class,name\n"]
for i, (image, label) in enumerate(zip(images, labels)):
    # Pixels are 15 times what the network reads.
    pixels = (image.reshape(8, 8) * 15).astype(numpy.uint8)
    write("images/%03d.png" % i, png(pixels))
    lines.append("%03d.png,%d,digit\n" % (i, label))
    if i < 4:
        write("color/%03d.png" % i, png(numpy.repeat(pixels[:, :, None], 3, axis=2)))
write("labels.csv", "".join(lines).encode())
write("labels.txt", "".join("%d\n" % label for label in labels).encode())
write("short.txt", b"1\n2\n")
write("words.txt", b"1\nfrog\n")
write("twice.csv", b"000.png,1\n000.png,2\n")
write("beyond.txt", "".join("%d\n" % (label + 90) for label in labels).encode())
write("wrong.txt", "".join("%d\n" % ((label + 1) % 10) for label in labels).encode())
write("shifted.txt", "".join("%d\n" % (label + 3) for label in labels).encode())
whole = png(numpy.zeros((8, 8), numpy.uint8))
write("damaged/a.png", whole[:40] + b"\xff" * 8 + whole[48:])
write("cut/a.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF")
write("other/a.png", b"GIF89a not a picture")
os.makedirs(os.path.join(root, "large"))
# Every pixel four times: averaging makes the small image of it again.
for i, image in enumerate(images):
    pixels = (image.reshape(8, 8) * 15).astype(numpy.uint8)
    write("large/%03d.png" % i, png(numpy.kron(pixels, numpy.ones((2, 2), numpy.uint8))))
if len(sys.argv) > 3:
    from PIL import Image
    os.makedirs(os.path.join(root, "jpeg"))
    for i, image in enumerate(images):
        pixels = (image.reshape(8, 8) * 15).astype(numpy.uint8)
        Image.fromarray(pixels).save(os.path.join(root, "jpeg", "%03d.jpg" % i), quality=100)
