"""The ten flows of ``examples/broken`` as they should be."""
