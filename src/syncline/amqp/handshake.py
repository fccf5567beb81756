"""What comes before AMQP frames: protocol headers and SASL (part 2, section 2.2; part 5, section 5.3)."""

from enum import Enum, auto

from syncline.amqp.composites import decode_composite
from syncline.amqp.conditions import ErrorCondition
from syncline.amqp.delivery_states import Error
from syncline.amqp.errors import ConnectionFault, DecodeError
from syncline.amqp.events import SaslAuthenticated
from syncline.amqp.frames import AMQP_HEADER, SASL_FRAME, SASL_HEADER, Frame, FrameDecoder, encode_frame
from syncline.amqp.sasl import ClientNegotiation, Negotiation, SaslClient, SaslServer, ServerNegotiation


class _Stage(Enum):
    """What the peer's next bytes are."""

    HEADER = auto()
    SASL = auto()
    HEADER_AFTER_SASL = auto()
    COMPLETE = auto()


class Handshake:
    """One side's headers and SASL exchange.

    `output` collects the bytes to send. When `may_send_frames`, AMQP frames may follow them; when `complete`,
    the peer's frames come. A handshake that fails sets `error`.
    """

    def __init__(
        self, *, is_server: bool, sasl: SaslServer | SaslClient | None, require_sasl: bool, hostname: str | None
    ) -> None:
        self._is_server = is_server
        self._require_sasl = require_sasl
        self._negotiation: Negotiation | None = None
        if isinstance(sasl, SaslServer):
            self._negotiation = ServerNegotiation(sasl)
        elif sasl is not None:
            self._negotiation = ClientNegotiation(sasl, hostname)
        self._stage = _Stage.HEADER
        self.output: list[bytes] = []
        self.may_send_frames = False
        self.authenticated: SaslAuthenticated | None = None
        self.error: Error | None = None

    @property
    def complete(self) -> bool:
        """Whether the peer's next bytes are AMQP frames."""
        return self._stage is _Stage.COMPLETE

    def start(self) -> None:
        """Say a client's first header."""
        if self._negotiation is not None:
            self.output.append(SASL_HEADER)
        else:
            self._send_amqp_header()

    def advance(self, decoder: FrameDecoder) -> bool:
        """Take the next header or SASL frame; False when it is not there yet. Raises ConnectionFault, DecodeError."""
        if self._stage is _Stage.SASL:
            frame = decoder.next_frame()
            if frame is not None:
                self._on_sasl_frame(frame)
            return frame is not None
        header = decoder.next_header()
        if header is not None:
            self._on_header(header)
        return header is not None

    def _on_header(self, header: bytes) -> None:
        sasl_possible = self._negotiation is not None and self._stage is _Stage.HEADER
        if header == SASL_HEADER and sasl_possible and self._negotiation is not None:
            if self._is_server:
                self.output.append(SASL_HEADER)
            self._send_sasl(self._negotiation.start())
            self._stage = _Stage.SASL
            return
        plain_allowed = not self._require_sasl and (self._is_server or self._negotiation is None)
        if header == AMQP_HEADER and (self._stage is _Stage.HEADER_AFTER_SASL or plain_allowed):
            if self._is_server:
                self._send_amqp_header()
            self._stage = _Stage.COMPLETE
            return
        if self._is_server:
            self.output.append(SASL_HEADER if self._require_sasl and sasl_possible else AMQP_HEADER)
        self.error = Error(ErrorCondition.NOT_IMPLEMENTED, f"the peer's protocol header is {header!r}")

    def _on_sasl_frame(self, frame: Frame) -> None:
        negotiation = self._negotiation
        if negotiation is None or frame.frame_type != SASL_FRAME:
            raise ConnectionFault(ErrorCondition.FRAMING_ERROR, f"a frame of type {frame.frame_type} during SASL")
        performative, end = decode_composite(frame.body)
        if end != len(frame.body):
            raise DecodeError("bytes after the performative of a SASL frame")
        self._send_sasl(negotiation.receive(performative))
        if negotiation.succeeded is None:
            return
        if not negotiation.succeeded:
            reason = f"SASL {negotiation.mechanism} was not accepted: check the credentials"
            self.error = Error(ErrorCondition.UNAUTHORIZED_ACCESS, reason)
            return
        self.authenticated = SaslAuthenticated(negotiation.mechanism or "", negotiation.response)
        self._stage = _Stage.HEADER_AFTER_SASL
        if not self._is_server:
            self._send_amqp_header()

    def _send_amqp_header(self) -> None:
        self.output.append(AMQP_HEADER)
        self.may_send_frames = True

    def _send_sasl(self, performatives: list[object]) -> None:
        self.output.extend(encode_frame(0, each, frame_type=SASL_FRAME) for each in performatives)
