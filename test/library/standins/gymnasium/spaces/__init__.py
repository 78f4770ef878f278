import random


class _Generator:
    def integers(self, high):
        return random.randrange(high)

    def choice(self, items, size):
        return random.choices(items, k=size)


class Text:
    def __init__(self, max_length, *, min_length=1):
        self.max_length, self.min_length, self.np_random = max_length, min_length, _Generator()
