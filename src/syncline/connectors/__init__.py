"""Sources: what a connector is, which there are, and one package for each."""
