"""Sends three orders to the emulator with the official SDK."""

import json
import uuid

from azure.servicebus import ServiceBusClient, ServiceBusMessage

CONNECTION_STRING = (
    "Endpoint=sb://127.0.0.1:5672;SharedAccessKeyName=RootManageSharedAccessKey;"
    "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
)

with ServiceBusClient.from_connection_string(CONNECTION_STRING) as client, client.get_topic_sender("orders") as sender:
    for city, total in (("Łódź", 12), ("São Paulo", 8.5), ("Galway", 30)):
        order = {"customer": {"city": city}, "total": total, "items": ["kettle", "tea"]}
        sender.send_messages(ServiceBusMessage(json.dumps(order), message_id=str(uuid.uuid4())))
print("sent 3 orders")
