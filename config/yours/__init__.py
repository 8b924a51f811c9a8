"""What makes a copy of this repository yours: `make rename` and `make app`. Both change files and nothing else."""
