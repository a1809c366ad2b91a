"""The chassis of the shop's services: database, outbox, inbox, saga engine, HTTP, probes."""
