"""What makes a copy of the repository yours."""
