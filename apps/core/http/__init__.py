"""HTTP as every route has it: middleware, the client's address, versioning, problem documents, renderers, pages.

May import the kernel, `queue` and `resilience`. What only API views need belongs in `api`.
"""
