"""The pages of the patterns: all there, all linked, and nothing on them that the browser may not load."""

from __future__ import annotations

import re

import pytest
from django.test import Client, override_settings

from apps.core.patterns import PATTERNS, Pattern

SLUGS = [pattern.slug for pattern in PATTERNS]


@pytest.mark.parametrize("slug", SLUGS)
def test_a_pattern_has_a_page_with_its_code_and_its_neighbours(client: Client, slug: str) -> None:
    answer = client.get(f"/patterns/{slug}")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert page.count('<pre tabindex="0"><code class="language-python">') >= 2
    # colours by classes: the policy of the pages allows no style in an element
    assert 'class="k"' in page
    assert "style=" not in page
    assert "<!--" not in page
    assert set(re.findall(r'href="/patterns/([^"]+)"', page)) == set(SLUGS)
    # what lies in the repository has no page here
    assert re.findall(r'href="\.[^"]*"', page) == []


@pytest.mark.parametrize("pattern", PATTERNS, ids=SLUGS)
def test_what_to_take_and_the_naive_version_are_a_click_away(client: Client, pattern: Pattern) -> None:
    page = client.get(f"/patterns/{pattern.slug}").content.decode()
    linked = re.findall(r'href="/code/([^"#]+)', page)
    naive = f"config/compare/naive/{pattern.slug.replace('-', '_')}.py"
    assert {naive, pattern.test, *(file for file in pattern.take if file.endswith(".py"))} <= set(linked)
    for file in set(linked):
        shown = client.get(f"/code/{file}").content.decode()
        assert '<span id="L-1">' in shown
        assert "style=" not in shown
    assert f'href="/patterns/{pattern.slug}"' in client.get(f"/code/{naive}").content.decode()


@pytest.mark.parametrize(
    "file", ["config/urls.py", "../etc/passwd", ".env", "config/compare/naive/../retry.py", "x.py"]
)
def test_no_other_file_has_a_page(client: Client, file: str) -> None:
    assert client.get(f"/code/{file}").status_code == 404


def test_in_production_none_has(client: Client) -> None:
    with override_settings(PROFILE="production"):
        assert client.get(f"/code/{PATTERNS[0].file}").status_code == 404
    assert client.get(f"/code/{PATTERNS[0].file}").status_code == 200


def test_the_first_page_leads_to_all_of_them(client: Client) -> None:
    page = client.get("/").content.decode()
    assert re.findall(r'href="/patterns/([^"]+)"', page) == SLUGS


def test_a_figure_on_the_first_page_says_what_was_done(client: Client) -> None:
    page = client.get("/").content.decode()
    assert "400 callers fail at the same moment, and the other side comes back after two seconds.</p>" in page
    assert "log ins" not in page
    assert "half open" not in page


def test_a_name_as_the_command_prints_it_leads_there(client: Client) -> None:
    answer = client.get("/patterns/Service layer")
    assert (answer.status_code, answer.headers["Location"]) == (301, "/patterns/service-layer")


@pytest.mark.parametrize("name", ["nothing", "..", "../../config/env", "retry.md", "%00"])
def test_nothing_else_is_a_page(client: Client, name: str) -> None:
    assert client.get(f"/patterns/{name}").status_code == 404
