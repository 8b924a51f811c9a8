"""The product's one name, which titles, senders, keys and identifiers follow; `make rename NAME="…"` changes it."""

NAME = "Twelve Patterns"
# for identifiers: lower-case letters, digits and single hyphens
SLUG = "twelve-patterns"
