"""``callflow check --deep``: the finite control graph of a flow, walked for every outcome of every state.

What a flow keeps in fields and data is not seen: a loop that counts its rounds is a loop here. In return nothing is
run, and what is told holds for every call there can be.
"""
