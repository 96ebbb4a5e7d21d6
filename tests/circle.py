"""A file that is half written, at whose end any model has something to say: for tests of others' editors."""

CIRCLE = """import math


class Circle:
    def __init__(self, radius):
        self.radius = radius

    def area(self):
        return math.pi * self.radius ** 2

    def circumference(self):
        return
"""
