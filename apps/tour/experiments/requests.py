"""What a client can try: the same request twice, an old entity tag, a race, too much at once."""

from __future__ import annotations

import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from apps.tour.client import address, client, code_of, newcomer, register
from apps.tour.experiments import Fact, Outcome, experiment

GROUP = "Try it as a client"
RACERS, SPREE = 3, 130


@experiment(
    "The same request twice",
    pattern="service-layer",
    group=GROUP,
    does="Registers with an Idempotency-Key, sends the same request again, then another body under the same key.",
    promise="It runs once. The repeat gets the first answer, another body is refused.",
)
def same_key_twice() -> Outcome:
    """201, the same 201 replayed, 422."""
    key, email = secrets.token_hex(8), address("twice")
    with client() as http:
        http.headers["Idempotency-Key"] = key
        first, second = register(http, email), register(http, email)
        other = register(http, address("other"))
    same = first.content == second.content and second.headers.get("Idempotency-Replayed") == "true"
    facts = (
        Fact("first", str(first.status_code)),
        Fact(
            "the same again",
            f"{second.status_code}, Idempotency-Replayed: {second.headers.get('Idempotency-Replayed')}",
        ),
        Fact("another body", f"{other.status_code} {code_of(other)}"),
        Fact("accounts made", "1" if same else "not counted", "good" if same else "bad"),
    )
    return Outcome(facts, kept=same and first.status_code == 201 and other.status_code == 422)


@experiment(
    "Three register one address",
    pattern="service-layer",
    group=GROUP,
    does="Three requests with the same e-mail, in different letter cases, at the same moment.",
    promise="One account, two clear refusals, no error.",
)
def racing_registrations() -> Outcome:
    """One 201, the others 409."""
    email = address("race")
    spellings = [email, email.upper(), email.title()][:RACERS]
    with client() as http, ThreadPoolExecutor(RACERS) as racers:
        answers = Counter(answer.status_code for answer in racers.map(lambda one: register(http, one), spellings))
    facts = (
        Fact("201 created", str(answers[201]), "good" if answers[201] == 1 else "bad"),
        Fact("409 email_taken", str(answers[409])),
        Fact("anything else", str(RACERS - answers[201] - answers[409])),
    )
    return Outcome(facts, kept=answers == {201: 1, 409: RACERS - 1})


@experiment(
    "Two edit the same user",
    pattern="repository",
    group=GROUP,
    does="Two editors read the same user; the first saves, then the second.",
    promise="The second is told, and nothing is overwritten.",
)
def stale_etag() -> Outcome:
    """200, then 412."""
    with client() as http:
        user_id = newcomer(http, "editor")
        path = f"/api/v1/users/{user_id}"
        tag = http.get(path).headers["ETag"]
        first = http.patch(path, json={"name": "First"}, headers={"If-Match": tag})
        second = http.patch(path, json={"name": "Second"}, headers={"If-Match": tag})
        name = http.get(path).json()["name"]
    facts = (
        Fact("both read", f"ETag {tag}"),
        Fact("the first saves", str(first.status_code)),
        Fact("the second saves", f"{second.status_code} {code_of(second)}"),
        Fact("the name is now", name, "good" if name == "First" else "bad"),
    )
    return Outcome(facts, kept=(first.status_code, second.status_code, name) == (200, 412, "First"))


@experiment(
    "One user, two versions",
    pattern="api-versioning",
    group=GROUP,
    does="Reads the same user as v1, as v2, and without a version in the path but with the header.",
    promise="One view serves them all, and v1 never changes.",
)
def two_versions() -> Outcome:
    """The fields of each."""
    with client() as http:
        user_id = newcomer(http, "version")
        v1, v2 = (http.get(f"/api/{version}/users/{user_id}") for version in ("v1", "v2"))
        by_header = http.get(f"/api/users/{user_id}", headers={"X-API-Version": "v2"})
    facts = (
        Fact("v1 has", ", ".join(v1.json())),
        Fact("v2 adds", ", ".join(name for name in v2.json() if name not in v1.json())),
        Fact("by header", f"{by_header.status_code}, X-API-Version: {by_header.headers['X-API-Version']}"),
    )
    return Outcome(facts, kept=v1.is_success and v2.is_success and set(by_header.json()) == set(v2.json()))


@experiment(
    "Too much at once",
    pattern="middleware",
    group=GROUP,
    does=f"One user sends {SPREE} requests in a row.",
    promise="The limit holds exactly, whichever process answers, and says when to come again.",
)
def bucket_emptied() -> Outcome:
    """So many 200, then 429 with its headers."""
    with client() as http:
        user_id = newcomer(http, "eager")
        answers = [http.get(f"/api/v1/users/{user_id}") for _ in range(SPREE)]
    counts = Counter(answer.status_code for answer in answers)
    refused = next((answer for answer in answers if answer.status_code == 429), None)
    if refused is None:
        return Outcome(
            (Fact("200", str(counts[200])),),
            undecided="a higher limit, a minute that ended, or a counter that was emptied. Try it again.",
        )
    facts = (
        Fact("200", str(counts[200])),
        Fact("429", str(counts[429])),
        Fact("RateLimit-Policy", refused.headers["RateLimit-Policy"]),
        Fact("RateLimit", refused.headers["RateLimit"]),
        Fact("Retry-After", f"{refused.headers['Retry-After']} s"),
    )
    limit = int(refused.headers["RateLimit-Policy"].partition("q=")[2].partition(";")[0])
    if counts[200] == limit:
        return Outcome(facts, kept=True)
    return Outcome(facts, undecided="a new minute began meanwhile, or the counter was emptied. Try it again.")
