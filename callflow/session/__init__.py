"""One call's protocol, pure: the table, the machine that reads it, and the ledger of what was heard.

No Trio, no clock, no JSON, no random: time is passed in, in seconds.
"""
