"""How the catalogue is made: `python -m zoo_tfhub.catalogue HUB_HANDLES.csv PUBLISHED_METRICS.csv`."""
