"""The links of a session, found by name or by either side's handle (part 2, section 2.6.2)."""

from syncline.amqp.receiving import ReceivingLink
from syncline.amqp.sending import SendingLink

AnyLink = SendingLink | ReceivingLink


class LinkTable:
    """A session's links. A link keeps its handles until the peer's detach, its name until it is over."""

    __slots__ = ("_by_handle", "_by_name", "_by_remote_handle")

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, bool], AnyLink] = {}
        self._by_handle: dict[int, AnyLink] = {}
        self._by_remote_handle: dict[int, AnyLink] = {}

    @property
    def live(self) -> tuple[AnyLink, ...]:
        """The links that are not over."""
        return tuple(link for link in self._by_handle.values() if not link.over)

    def named(self, name: str, *, is_sender: bool) -> AnyLink | None:
        """The link of this name and direction."""
        return self._by_name.get((name, is_sender))

    def at_remote_handle(self, handle: int) -> AnyLink | None:
        """The link that the peer calls by this handle."""
        return self._by_remote_handle.get(handle)

    def lowest_free_handle(self, limit: int) -> int | None:
        """The lowest handle not in use, or None when it would be above `limit`."""
        handle = next(each for each in range(len(self._by_handle) + 1) if each not in self._by_handle)
        return handle if handle <= limit else None

    def add(self, link: AnyLink) -> None:
        """Enter a link under its name and this side's handle."""
        self._by_name[link.name, link.is_sender] = link
        self._by_handle[link.handle] = link

    def bind(self, remote_handle: int, link: AnyLink) -> None:
        """Enter a link under the peer's handle."""
        self._by_remote_handle[remote_handle] = link

    def free_name(self, link: AnyLink) -> None:
        """Let the link's name be used again."""
        if self._by_name.get((link.name, link.is_sender)) is link:
            del self._by_name[link.name, link.is_sender]

    def free_handles(self, remote_handle: int, link: AnyLink) -> None:
        """Let both handles be used again."""
        self._by_remote_handle.pop(remote_handle, None)
        self._by_handle.pop(link.handle, None)
