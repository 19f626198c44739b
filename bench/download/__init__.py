"""Downloads of datasets and weights, over HTTP and from the package index, and unpacking of archives."""
