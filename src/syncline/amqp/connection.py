"""The state of a connection, for either end, without sockets or clocks (part 2, section 2.4).

Bytes of the peer go into `receive_data`, which reports events; `data_to_send` gives the bytes for the peer.
Every `now` is in seconds of one monotonic clock.
"""

from typing import Any, Final, Self

from syncline.amqp.composites import decode_composite
from syncline.amqp.conditions import ErrorCondition
from syncline.amqp.delivery_states import Error
from syncline.amqp.errors import ConnectionFault, DecodeError, LocalProtocolError
from syncline.amqp.events import (
    ConnectionClosed,
    ConnectionOpened,
    Event,
    SessionBegun,
)
from syncline.amqp.frames import (
    AMQP_FRAME,
    EMPTY_FRAME,
    MINIMUM_MAX_FRAME_SIZE,
    Frame,
    FrameDecoder,
    encode_frame,
)
from syncline.amqp.handshake import Handshake
from syncline.amqp.performatives import Begin, Close, End, Open
from syncline.amqp.sasl import SaslClient, SaslServer
from syncline.amqp.session import Session
from syncline.amqp.timers import Due, Timers

MINIMUM_IDLE_TIMEOUT: Final = 0.05
"""Seconds: a peer that asks for more frequent heartbeats is refused."""

_LONGEST_DESCRIPTION: Final = 200


class Connection:
    """One end of an AMQP connection; make one with `Connection.server` or `Connection.client`."""

    def __init__(
        self,
        container_id: str,
        *,
        is_server: bool,
        sasl: SaslServer | SaslClient | None,
        hostname: str | None = None,
        require_sasl: bool = False,
        max_frame_size: int = 65_536,
        channel_max: int = 4_999,
        handle_max: int = 255,
        idle_timeout: float | None = 480.0,
        incoming_window: int = 5_000,
        outgoing_window: int = 5_000,
        max_message_size: int | None = 1_048_576,
        properties: dict[Any, Any] | None = None,
        offered_capabilities: tuple[str, ...] = (),
    ) -> None:
        if max_frame_size < MINIMUM_MAX_FRAME_SIZE:
            raise LocalProtocolError(f"max_frame_size must be at least {MINIMUM_MAX_FRAME_SIZE}, not {max_frame_size}")
        if incoming_window < 1:
            raise LocalProtocolError(f"incoming_window must be at least 1, not {incoming_window}")
        self.is_server = is_server
        self.max_message_size = max_message_size
        self.channel_max = channel_max
        self.remote_open: Open | None = None
        self.remote_max_frame_size = MINIMUM_MAX_FRAME_SIZE
        self.sasl_mechanism: str | None = None
        self._local_open = Open(
            container_id=container_id,
            hostname=hostname,
            max_frame_size=max_frame_size,
            channel_max=channel_max,
            idle_time_out=round(idle_timeout * 500) if idle_timeout else None,
            offered_capabilities=offered_capabilities,
            properties=properties,
        )
        self._session_limits = {
            "incoming_window": incoming_window,
            "outgoing_window": outgoing_window,
            "handle_max": handle_max,
        }
        self._handshake = Handshake(is_server=is_server, sasl=sasl, require_sasl=require_sasl, hostname=hostname)
        self._decoder = FrameDecoder(max_frame_size)
        self._output: list[bytes] = []
        self.closed = False
        """Whether the connection is over: send what is queued and drop the transport."""
        self._held: list[bytes] | None = []
        self._events: list[Event] = []
        self._by_channel: dict[int, Session] = {}
        self._by_remote_channel: dict[int, Session] = {}
        self._low_windows: list[Session] = []
        self._open_sent = False
        self._local_close: Close | None = None
        self._timers = Timers(idle_timeout)

    @classmethod
    def server(cls, container_id: str, *, sasl: SaslServer | None = SaslServer(), **options: Any) -> Self:  # noqa: B008
        """The end that was connected to. `sasl=None` takes clients without SASL alone; `require_sasl` none without.

        Options: see `Connection.__init__`. `idle_timeout` is in seconds, and half of it is advertised, as
        section 2.4.5 advises; `max_message_size` is in bytes and goes for links that do not set their own.
        """
        return cls(container_id, is_server=True, sasl=sasl, **options)

    @classmethod
    def client(
        cls,
        container_id: str,
        hostname: str | None = None,
        *,
        sasl: SaslClient | None = SaslClient(),  # noqa: B008
        **options: Any,
    ) -> Self:
        """The end that connects; call `open` first. `sasl=None` skips SASL. Options as for `server`."""
        return cls(container_id, is_server=False, sasl=sasl, hostname=hostname, **options)

    # What the caller asks.

    @property
    def opened(self) -> bool:
        """Whether both opens are through and neither side has closed."""
        return self._open_sent and self.remote_open is not None and not self.closed and self._local_close is None

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The sessions that have not ended."""
        return tuple(session for session in self._by_channel.values() if not session.ended)

    # What the caller does.

    def open(self) -> None:
        """Start the connection of a client. Sessions and links may be begun right after, before any answer."""
        if self.is_server or self._open_sent:
            raise LocalProtocolError("open is for clients, once; a server answers the client's open by itself")
        self._handshake.start()
        self._take_handshake_output()
        self._send_open()

    def begin(self, *, next_outgoing_id: int = 0) -> Session:
        """Begin a session; `SessionBegun` reports the answer. LocalProtocolError when none can be."""
        if self.closed or self._local_close is not None or not self._open_sent:
            raise LocalProtocolError("a session can be begun only on an open connection")
        session = self._new_session(next_outgoing_id)
        if session is None:
            raise LocalProtocolError("the peer allows no more sessions on this connection: end one first")
        session.send_begin()
        return session

    def close(self, error: Error | None = None) -> None:
        """Close; the peer has five seconds to answer. Does nothing when closed."""
        if self.closed or self._local_close is not None:
            return
        if not self._handshake.complete:
            self._finish(error, by_peer=False)
            return
        if not self._open_sent:
            self._send_open()
        self.send_frame(0, Close(error))
        self._local_close = Close(error)

    def data_to_send(self, now: float) -> bytes:
        """Take the bytes to send to the peer; b"" when there are none."""
        self._timers.start(now)
        if self._local_close is not None:
            self._timers.closing(now)
        if not self._output:
            return b""
        data = b"".join(self._output) if len(self._output) > 1 else self._output[0]
        self._output.clear()
        self._timers.sent(now)
        return data

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """Take bytes of the peer and report what they mean. Nothing they hold makes this raise."""
        self._timers.start(now)
        if data:
            self._timers.received(now)
        if not self.closed:
            self._decoder.feed(data)
            try:
                while not self.closed and self._advance():
                    pass
            except (DecodeError, ConnectionFault) as fault:
                self._fail(Error(fault.condition, _clip(fault.description)))
        while self._low_windows:
            self._low_windows.pop().replenish_window()
        return self._take_events()

    def receive_eof(self, now: float) -> list[Event]:
        """Take note that the transport is gone: everything ends."""
        self._timers.start(now)
        self._finish(None, by_peer=True)
        return self._take_events()

    def next_deadline(self) -> float | None:
        """When `handle_timeout` has to be called next, if nothing else happens before; None for never."""
        return None if self.closed else self._timers.next_deadline()

    def handle_timeout(self, now: float) -> list[Event]:
        """Do what is due: a heartbeat, or the end of a connection whose peer is silent. Early calls are harmless."""
        self._timers.start(now)
        due = None if self.closed else self._timers.due(now)
        if due is Due.CLOSE_UNANSWERED:
            self._finish(self._local_close.error if self._local_close else None, by_peer=False)
        elif due is Due.PEER_SILENT:
            silence = f"nothing was received for {self._timers.idle_timeout:g} seconds"
            self._fail(Error(ErrorCondition.CONNECTION_FORCED, silence))
        elif due is Due.HEARTBEAT and not self._output:
            self._output.append(EMPTY_FRAME)
        return self._take_events()

    # What sessions and links call.

    def report(self, event: Event) -> None:
        """Add an event to those that are reported next."""
        self._events.append(event)

    def send_frame(self, channel: int, performative: object) -> None:
        """Queue a frame; nothing after a close. A frame too large for the peer ends the connection."""
        if self.closed or self._local_close is not None:
            return
        frame = encode_frame(channel, performative)
        if self.remote_open is not None and len(frame) > self.remote_max_frame_size:
            kind = type(performative).__name__
            description = f"the peer takes frames of {self.remote_max_frame_size} bytes, a {kind} has {len(frame)}"
            self._fail(Error(ErrorCondition.FRAME_SIZE_TOO_SMALL, description))
            return
        self.send_bytes(frame)

    def send_bytes(self, frame: bytes) -> None:
        """Queue an encoded frame; it is held back while SASL goes on."""
        (self._output if self._held is None else self._held).append(frame)

    def note_low_window(self, session: Session) -> None:
        """Remember to open the session's incoming window again when the bytes at hand are worked off."""
        if session not in self._low_windows:
            self._low_windows.append(session)

    # What the peer says.

    def _advance(self) -> bool:
        if not self._handshake.complete:
            return self._advance_handshake()
        frame = self._decoder.next_frame()
        if frame is None:
            return False
        self._on_frame(frame)
        return True

    def _advance_handshake(self) -> bool:
        handshake = self._handshake
        advanced = handshake.advance(self._decoder)
        self._take_handshake_output()
        if handshake.authenticated is not None and self.sasl_mechanism is None:
            self.sasl_mechanism = handshake.authenticated.mechanism
            self.report(handshake.authenticated)
        if handshake.error is not None:
            self._finish(handshake.error, by_peer=not self.is_server)
        return advanced

    def _take_handshake_output(self) -> None:
        self._output.extend(self._handshake.output)
        self._handshake.output.clear()
        if self._handshake.may_send_frames and self._held is not None:
            self._output.extend(self._held)
            self._held = None

    def _on_frame(self, frame: Frame) -> None:
        if frame.frame_type != AMQP_FRAME:
            raise ConnectionFault(ErrorCondition.FRAMING_ERROR, f"a frame of type {frame.frame_type} after SASL")
        if not frame.body:
            return
        performative, end = decode_composite(frame.body)
        kind = type(performative)
        if self._local_close is not None and kind is not Close:
            return
        if self.remote_open is None and kind not in (Open, Close):
            raise ConnectionFault(ErrorCondition.ILLEGAL_STATE, f"{kind.__name__} before open")
        if kind is Open:
            self._on_open(frame.channel, performative)
        elif kind is Close:
            self._on_close(performative)
        elif kind is Begin:
            self._on_begin(frame.channel, performative)
        else:
            session = self._by_remote_channel.get(frame.channel)
            if session is None:
                raise ConnectionFault(
                    ErrorCondition.ILLEGAL_STATE, f"{kind.__name__} on channel {frame.channel}, which has no session"
                )
            if kind is End:
                self._on_end(frame.channel, session, performative)
            else:
                session.receive(performative, frame.body[end:])

    def _on_open(self, channel: int, remote: Open) -> None:
        if self.remote_open is not None:
            raise ConnectionFault(ErrorCondition.ILLEGAL_STATE, "a second open")
        if channel != 0:
            raise ConnectionFault(ErrorCondition.NOT_ALLOWED, f"open on channel {channel}: it belongs on channel 0")
        if remote.max_frame_size < MINIMUM_MAX_FRAME_SIZE:
            raise ConnectionFault(
                ErrorCondition.INVALID_FIELD, f"open.max-frame-size {remote.max_frame_size} is below 512"
            )
        idle_timeout = remote.idle_time_out / 1000 if remote.idle_time_out else None
        if idle_timeout is not None and idle_timeout < MINIMUM_IDLE_TIMEOUT:
            raise ConnectionFault(
                ErrorCondition.INVALID_FIELD, f"open.idle-time-out {remote.idle_time_out} ms is too short"
            )
        self.remote_open = remote
        self.remote_max_frame_size = remote.max_frame_size
        self._timers.remote_idle_timeout = idle_timeout
        if not self._open_sent:
            self._send_open()
        self.report(ConnectionOpened(remote))

    def _on_close(self, close: Close) -> None:
        by_peer = self._local_close is None
        if by_peer:
            if not self._open_sent:
                self._send_open()
            self.send_frame(0, Close())
        local_error = self._local_close.error if self._local_close else None
        self._finish(close.error or local_error, by_peer=by_peer)

    def _on_begin(self, channel: int, begin: Begin) -> None:
        if channel > self.channel_max:
            raise ConnectionFault(
                ErrorCondition.FRAMING_ERROR, f"begin on channel {channel}, above channel-max {self.channel_max}"
            )
        if channel in self._by_remote_channel:
            raise ConnectionFault(ErrorCondition.ILLEGAL_STATE, f"begin on channel {channel}, which has a session")
        if begin.remote_channel is not None:
            session = self._by_channel.get(begin.remote_channel)
            if session is None or session.remote_begin is not None:
                raise ConnectionFault(
                    ErrorCondition.ILLEGAL_STATE, f"begin.remote-channel {begin.remote_channel} answers no begin"
                )
            session.receive_begin(channel, begin)
        else:
            session = self._new_session(0)
            if session is None:
                raise ConnectionFault(ErrorCondition.RESOURCE_LIMIT_EXCEEDED, "no channel is left for this session")
            session.receive_begin(channel, begin)
            session.send_begin()
        self._by_remote_channel[channel] = session
        if not session.ended:
            self.report(SessionBegun(session))

    def _on_end(self, channel: int, session: Session, end: End) -> None:
        by_peer = session.local_end is None
        if by_peer:
            session.end()
        local_error = session.local_end.error if session.local_end else None
        session.finish(end.error or local_error, by_peer=by_peer)
        self._by_remote_channel.pop(channel, None)
        self._by_channel.pop(session.channel, None)

    # Inside.

    def _new_session(self, next_outgoing_id: int) -> Session | None:
        limit = self.channel_max
        if self.remote_open is not None:
            limit = min(limit, self.remote_open.channel_max)
        channel = next(each for each in range(len(self._by_channel) + 1) if each not in self._by_channel)
        if channel > limit:
            return None
        session = Session(self, channel, next_outgoing_id=next_outgoing_id, **self._session_limits)
        self._by_channel[channel] = session
        return session

    def _send_open(self) -> None:
        self._open_sent = True
        self.send_frame(0, self._local_open)

    def _fail(self, error: Error) -> None:
        """End the connection for what the peer did, or did not do in time: no answer to the close is awaited."""
        if self._handshake.complete:
            self.close(error)
        self._finish(error, by_peer=False)

    def _finish(self, error: Error | None, *, by_peer: bool) -> None:
        if self.closed:
            return
        for session in tuple(self._by_channel.values()):
            session.finish(error, by_peer=by_peer)
        self.closed = True
        self._low_windows.clear()
        self.report(ConnectionClosed(error, by_peer))

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events


def _clip(description: str) -> str:
    """A description short enough for the smallest frame, in ASCII, whatever of the peer's bytes it quotes."""
    return description.encode("ascii", "backslashreplace").decode("ascii")[:_LONGEST_DESCRIPTION]
