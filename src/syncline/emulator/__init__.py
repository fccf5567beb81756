"""Azure Service Bus on your own machine: an emulator in pure Python, in memory, on AMQP 1.0."""
