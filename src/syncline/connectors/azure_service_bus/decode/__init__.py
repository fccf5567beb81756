"""From messages as they were read to typed columns: one module for each format, all with one signature."""

from syncline.connectors.azure_service_bus.decode.batch import REJECT_SCHEMA, decode_batch, rejects

__all__ = ["REJECT_SCHEMA", "decode_batch", "rejects"]
