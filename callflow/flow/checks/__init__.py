"""What ``callflow check`` finds beyond what a flow is refused for: mistakes that would show in a call only.

Everything here reads: the classes of an imported module, its source, its prompt files. Nothing of the flow is run.
"""
