"""The naive version of each pattern, one small file each, to be read beside the service's own."""
