"""Downloads: over HTTP, from the package index, of datasets and weights; archives."""
