"""The embedded engine: a durable partitioned log in SQLite, and a Faust transport over it.

It is for one machine and one worker. Other processes may append to the log and follow it, but only one
worker consumes: there is no group protocol, no replication and no network.
"""
