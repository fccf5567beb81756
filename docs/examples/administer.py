"""Makes a topic and a subscription in the emulator with the official administration client."""

import sys
from datetime import timedelta

from azure.servicebus.management import ServiceBusAdministrationClient, SqlRuleFilter

CONNECTION_STRING = (
    "Endpoint=sb://127.0.0.1:5671;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE"
)
AUTHORITY = sys.argv[1]

with ServiceBusAdministrationClient.from_connection_string(CONNECTION_STRING, connection_verify=AUTHORITY) as client:
    client.create_topic("payments")
    client.create_subscription("payments", "europe", default_message_time_to_live=timedelta(days=7))
    client.delete_rule("payments", "europe", "$Default")
    client.create_rule("payments", "europe", "by-region", filter=SqlRuleFilter("region IN ('eu', 'uk')"))
    counts = client.get_subscription_runtime_properties("payments", "europe")
    print(f"payments/europe holds {counts.active_message_count} messages")
