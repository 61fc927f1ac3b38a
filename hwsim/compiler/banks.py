"""Where feature maps lie: first fit in the act banks."""

from __future__ import annotations

__all__ = ["Banks", "NoRoom"]


class NoRoom(Exception):
    """No bank has the words that are needed in one piece; the message says how many."""


class Banks:
    """Free words of each act bank.

    Parameters
    ----------
    banks, depth
        Number of banks, and words of each.
    """

    def __init__(self, banks: int, depth: int) -> None:
        self._free = [[(0, depth)] for _ in range(banks)]

    def __len__(self) -> int:
        return len(self._free)

    def copy(self) -> Banks:
        """The same free pieces; what is taken of one is not of the other."""
        found = Banks(0, 0)
        found._free = [list(pieces) for pieces in self._free]
        return found

    @property
    def largest(self) -> int:
        """Words of the largest free piece."""
        return max(self._largest(bank) for bank in range(len(self)))

    def take(
        self, words: int, *, bank: int | None = None, avoid: tuple[int, ...] = ()
    ) -> tuple[int, int]:
        """Bank and first word of a free piece; of several banks, that with the largest piece.

        Parameters
        ----------
        bank
            The only one that will do.
        avoid
            Banks that are taken only where no other has room.

        Raises
        ------
        NoRoom
            No piece is large enough.
        """
        chosen = range(len(self._free)) if bank is None else [bank]
        order = sorted(chosen, key=lambda each: (each in avoid, -self._largest(each), each))
        for each in order:
            for index, (start, size) in enumerate(self._free[each]):
                if size >= words:
                    rest = [(start + words, size - words)] if size > words else []
                    self._free[each][index : index + 1] = rest
                    return each, start
        where = "a bank" if bank is None else f"bank {bank}"
        most = max(self._largest(each) for each in chosen)
        raise NoRoom(f"{words} words in one piece of {where}, which has {most} free")

    def give(self, bank: int, start: int, words: int) -> None:
        """Give a piece back."""
        pieces = sorted([*self._free[bank], (start, words)])
        joined: list[tuple[int, int]] = []
        for begin, size in pieces:
            if joined and sum(joined[-1]) == begin:
                joined[-1] = (joined[-1][0], joined[-1][1] + size)
            else:
                joined.append((begin, size))
        self._free[bank] = joined

    def _largest(self, bank: int) -> int:
        return max((size for _, size in self._free[bank]), default=0)
