"""How a load or a store reaches memory."""

from hltune.lowered.walk import Access

PATTERNS = ("scalar", "broadcast", "dense", "aligned", "reversed", "strided", "gather")


def pattern(access: Access) -> str:
    """One of `PATTERNS`; a scalar that no loop moves, and a vector of one element, is a broadcast."""
    if access.lanes == 1:
        return "broadcast" if access.strides and access.strides[-1] == 0.0 else "scalar"
    match access.lane_stride:
        case None:
            return "gather"
        case 0.0:
            return "broadcast"
        case 1.0:
            return "aligned" if access.aligned >= access.lanes else "dense"
        case -1.0:
            return "reversed"
        case _:
            return "strided"
