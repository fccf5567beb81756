"""How many columns a table can have, and how many loads give it by themselves."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class ColumnLimits:
    """The limits of one kind of destination."""

    usual: int
    """Columns that loads give a table. Fields beyond that share one."""
    most: int | None = None
    """Columns that a table can have, those that were dropped included; None where the destination names no limit."""

    def of(self, maximum: int | None) -> "ColumnLimits":
        """The same with `maximum` in place of the usual number, as far as the destination goes along."""
        wanted = self.usual if maximum is None else maximum
        return replace(self, usual=wanted if self.most is None else min(wanted, self.most))


PLENTY = ColumnLimits(usual=1000)
"""For destinations that name no limit: nobody reads tables with more."""
