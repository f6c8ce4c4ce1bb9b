"""The network of the paper, one file per box of its Figure 1, and its objective."""
