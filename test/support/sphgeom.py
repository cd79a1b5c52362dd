"""Pairs of regions at random, what lsst-sphgeom says of each pair, and points that say it too. Arguments: seed, pairs, envelopes, output file.

For each pair: both regions (u32 length, bytes), the relation (u8: 1 disjoint, 2 contains, 4 within), and what points show (u8: 1 not disjoint, 2 not contains, 4 not within).
Then for each of the first regions: HTM level (u8), envelope and interior (u32 count of ranges, u64 first and end).
"""

import struct
import sys

import numpy as np
from lsst.sphgeom import Angle, AngleInterval, Box, Circle, ConvexPolygon, Ellipse, HtmPixelization, NormalizedAngleInterval, UnitVector3d

seed, pairs, envelopes, output = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
rng = np.random.default_rng(seed)
TAU = 2 * np.pi
EIGHTHS = np.arange(8) * TAU / 8


def around(center, angles, directions):
    """Points at these angles from a center, in these directions; a row each."""
    x, y, z = (float(value) for value in center)
    if abs(z) < 0.9:
        aside = np.array([y, -x, 0.0]) / np.hypot(x, y)
    else:
        aside = np.array([0.0, z, -y]) / np.hypot(y, z)
    a, b, c = (float(value) for value in aside)
    up = np.array([y * c - z * b, z * a - x * c, x * b - y * a])
    along = np.sin(angles)[:, None] * (np.cos(directions)[:, None] * aside + np.sin(directions)[:, None] * up)
    return np.cos(angles)[:, None] * np.asarray(center) + along


def unit(vector):
    return UnitVector3d(*(float(value) for value in vector))


def polygon(center, size):
    size = min(size, 1.4)
    count = int(rng.integers(3, 9))
    corners = around(center, size * rng.uniform(0.3, 1, count), TAU * (np.arange(count) + rng.uniform(0, 0.8, count)) / count)
    region = ConvexPolygon([unit(corner) for corner in corners])
    return region, [*corners, corners.mean(axis=0)]


def circle(center, size):
    radius = size if rng.random() < 0.9 else np.pi - size
    return Circle(unit(center), Angle(radius)), [center, *around(center, np.full(8, 0.9999 * radius), EIGHTHS)]


def box(center, size):
    longitude, latitude = np.arctan2(center[1], center[0]) % TAU, np.arcsin(np.clip(center[2], -1, 1))
    width = min(TAU, 2 * size * rng.uniform(0.3, 1) / max(0.05, np.cos(latitude)))
    south, north = max(-np.pi / 2, latitude - size * rng.uniform(0.1, 1)), min(np.pi / 2, latitude + size * rng.uniform(0.1, 1))
    west = longitude - width / 2
    region = Box(
        NormalizedAngleInterval.fromRadians(0, TAU) if width >= TAU else NormalizedAngleInterval.fromRadians(west % TAU, (west + width) % TAU),
        AngleInterval.fromRadians(south, north),
    )
    points = []
    for across in (0.0001, 0.5, 0.9999):
        for along in (0.0001, 0.5, 0.9999):
            lon, lat = west + across * width, south + along * (north - south)
            points.append(np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]))
    return region, points


def ellipse(center, size):
    alpha = min(size, 1.5)
    beta = alpha * rng.uniform(0.05, 1)
    orientation = rng.uniform(0, np.pi)
    axis = center
    if rng.random() < 0.1:
        alpha, beta, axis = np.pi - alpha, np.pi - beta, -center
    region = Ellipse(unit(axis), Angle(alpha), Angle(beta), Angle(orientation))
    # Rows of its frame: the axis of alpha, that of beta, the center.
    values = np.array(struct.unpack("<14d", region.encode()[1:]))
    major, minor, middle = values[0:3], values[3:6], values[6:9]
    cotangents = values[12], values[13]
    sign = 1 if values[9] <= 0 else -1
    points = [middle]
    for angle in EIGHTHS:
        shrunk = 0.9999 if sign > 0 else 1.0001
        point = shrunk * (np.cos(angle) / cotangents[0] * major + np.sin(angle) / cotangents[1] * minor) + sign * middle
        points.append(point / np.linalg.norm(point))
    return region, points


KINDS = (polygon, circle, box, ellipse)


def size_of_region():
    return 10 ** rng.uniform(-9, 0.3) if rng.random() < 0.5 else rng.uniform(0.01, 1.5)


def center_of_region():
    center = rng.normal(size=3)
    if rng.random() < 0.2:
        center *= [0.01, 0.01, 1]
    elif rng.random() < 0.2:
        center = np.array([1.0, rng.normal() * 0.01, center[2]])
    return center / np.linalg.norm(center)


def encoded(region):
    data = region.encode()
    return struct.pack("<I", len(data)) + data


with open(output, "wb") as file:
    regions = []
    for _ in range(pairs):
        size, center = size_of_region(), center_of_region()
        a, points_a = KINDS[rng.integers(4)](center, size)
        other = size * 10 ** rng.uniform(-1, 1) if rng.random() < 0.7 else size_of_region()
        near = around(center, np.array([min(np.pi, rng.uniform(0, 1.5) * (size + other))]), np.array([rng.uniform(0, TAU)]))[0]
        b, points_b = KINDS[rng.integers(4)](near, min(other, 1.5))
        relation = a.relate(b)
        bits = int(relation) & 7
        a_in_b = [b.contains(unit(point)) for point in points_a]
        b_in_a = [a.contains(unit(point)) for point in points_b]
        shown = (1 if any(a_in_b) or any(b_in_a) else 0) | (0 if all(b_in_a) else 2) | (0 if all(a_in_b) else 4)
        file.write(encoded(a) + encoded(b) + bytes([bits, shown]))
        regions.append((a, size))
    for a, size in regions[:envelopes]:
        level = int(np.clip(np.log2(4 / size), 2, 20))
        pixelization = HtmPixelization(level)
        file.write(bytes([level]))
        # It takes the circle round an ellipse, and may crash on it, where it is not given the circle.
        shape = a.getBoundingCircle() if isinstance(a, Ellipse) else a
        for ranges in (pixelization.envelope(shape), pixelization.interior(shape)):
            pairs_of = list(ranges)
            file.write(struct.pack("<I", len(pairs_of)))
            for first, end in pairs_of:
                file.write(struct.pack("<QQ", first, end))
