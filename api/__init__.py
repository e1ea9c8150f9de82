"""Freshtrail, the house in ten lines.

Doors (`v1`) let people and programs in and translate; they know HTTP and nothing of tables.
`core` is what the clinic does, one file a concept: the patient is admitted, consents, is treated,
practises and is measured. It knows no HTTP.
`core.gate` admits or turns away; no record is read without it.
`access` says who may: one policy table, sign-ins, keys and tokens.
`audit` keeps what was done, append only.
`db`, `vault`, `clock`, `config` and `errors` are the ground floor and import nothing above them.
`app` builds the whole and commits each request once; `cli` is the way in from a shell.
A floor imports only from floors below it; `tests/house` holds that.
"""
