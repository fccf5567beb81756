"""Azure Service Bus: topics, read through a subscription of each.

`config` declares the settings, `connect` builds clients of the official SDK, `source` and `reader` read,
`setup_tests` test a setup, and `decode` turns message bodies into columns.
"""
