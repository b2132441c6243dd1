"""Derives the constants of normals.c. Needs nothing but Python's standard library.

Each polynomial interpolates its function at the Chebyshev points of its interval, in exact rational
arithmetic, so it lies within a small factor of the best possible polynomial of that degree; each
coefficient is then rounded to the nearest double. The last column printed is the largest error
with the rounded coefficients over the interval, relative to what is approximated.
"""

from fractions import Fraction
from math import cos, pi

TERMS = 40  # of a series: far below the last bit of a double everywhere used here


def arctan_inverse(n):
    """arctan(1 / n)."""
    return sum(Fraction((-1) ** i, (2 * i + 1) * n ** (2 * i + 1)) for i in range(TERMS))


PI = 4 * (4 * arctan_inverse(5) - arctan_inverse(239))  # Machin
LN2 = 2 * sum(Fraction(1, (2 * i + 1) * 3 ** (2 * i + 1)) for i in range(TERMS))


def logarithm(z):
    """(2 atanh(s) / s - 2) / z of z = s^2."""
    return sum(Fraction(2, 2 * i + 3) * z**i for i in range(TERMS))


def sine(z):
    """sin(pi y / 4) / y of z = y^2, without its first term pi / 4, divided by z."""
    return trigonometric(z, 1)


def cosine(z):
    """cos(pi y / 4) of z = y^2, without its first term 1, divided by z."""
    return trigonometric(z, 0)


def trigonometric(z, odd):
    total = Fraction(0)
    term = (PI / 4) ** odd
    for i in range(1, TERMS // 2):
        term *= -((PI / 4) ** 2) / ((2 * i + odd) * (2 * i + odd - 1))
        total += term * z ** (i - 1)
    return total


def interpolate(function, top, count):
    """Coefficients, lowest first, of the polynomial through `count` Chebyshev points of [0, top]."""
    points = [
        top * (1 + Fraction(cos(pi * (2 * i + 1) / (2 * count)))) / 2 for i in range(count)
    ]
    differences = [function(point) for point in points]  # Newton's divided differences
    for level in range(1, count):
        for i in range(count - 1, level - 1, -1):
            differences[i] = (differences[i] - differences[i - 1]) / (points[i] - points[i - level])
    coefficients = [Fraction(0)] * count
    for i in range(count - 1, -1, -1):  # Horner: times (z - point), plus the difference
        shifted = [Fraction(0)] + coefficients[:-1]
        coefficients = [a - points[i] * b for a, b in zip(shifted, coefficients)]
        coefficients[0] += differences[i]
    return [float(c) for c in coefficients]


def report(name, function, top, count, whole):
    coefficients = interpolate(function, top, count)
    worst = 0
    for i in range(201):
        z = top * i / 200
        error = sum(Fraction(c) * z**k for k, c in enumerate(coefficients)) - function(z)
        worst = max(worst, abs(float(error * z / whole(z))))
    for i, c in enumerate(coefficients):
        print(f"{name:8} {i}  {c.hex():26}", f"{worst:.1e}" if i + 1 == count else "")


if __name__ == "__main__":
    high = Fraction(int(LN2 * 2**42), 2**42)  # 42 bits: exact when multiplied by an exponent
    print("ln 2    ", float(high).hex(), float(LN2 - high).hex())
    high = Fraction(float(PI / 4))
    print("pi / 4  ", float(high).hex(), float(PI / 4 - high).hex())
    square = Fraction(1715729, 10**7) ** 2  # of s = (sqrt 2 - 1) / (sqrt 2 + 1), a hair more
    report("log", logarithm, square, 7, lambda z: 2 + z * logarithm(z))
    report("sine", sine, Fraction(1), 6, lambda z: PI / 4 + z * sine(z))
    report("cosine", cosine, Fraction(1), 7, lambda z: 1 + z * cosine(z))
