"""Serial numbers of 32 bits that wrap around (RFC 1982), as transfer ids, delivery ids and counts are."""

from typing import Final

_MASK: Final = 0xFFFF_FFFF
_HALF: Final = 0x8000_0000


def serial_add(number: int, steps: int) -> int:
    """The serial number `steps` after `number`; negative steps go back."""
    return (number + steps) & _MASK


def serial_distance(start: int, end: int) -> int:
    """How many steps `end` is after `start`: negative when it is before."""
    distance = (end - start) & _MASK
    return distance - 0x1_0000_0000 if distance >= _HALF else distance
