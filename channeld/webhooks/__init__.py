"""Webhooks: what happened is told to whoever asked to be told, by HTTP.

Events follow from the rows of the audit that are sealed, in the order of their ids: whoever changes something does
nothing for it, and nothing is lost or made up. ``events`` says what a row tells, ``fanout`` makes deliveries of it,
``dispatcher`` has them sent.
"""
