"""Template tags that say the product's name."""

from __future__ import annotations

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def product_name() -> str:
    """The product's name."""
    return str(settings.PRODUCT_NAME)
