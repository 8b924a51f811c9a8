// Without this script every button is a form, and the page shows the same after a reload.
"use strict";

const outcome = document.getElementById("outcome");
const now = document.getElementById("now");
const TOKEN = "csrfmiddlewaretoken", POLL_MS = 1000, QUIET_AFTER = 120;
let trace = now.dataset.ofTrace, cohort = now.dataset.ofCohort, shown = now.innerHTML, looks = 0, asking = false;

function follow(article) {
  trace = article?.dataset.trace || trace;
  cohort = article?.dataset.cohort || cohort;
  looks = 0;
}

async function send(form) {
  const button = form.querySelector("button"), label = button.textContent, body = new FormData(form);
  if (!body.has(TOKEN)) body.set(TOKEN, document.querySelector(`[name=${TOKEN}]`).value);
  button.disabled = true;
  button.textContent = "running…";
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Tour-Fragment": "1" } });
    if (!answer.ok) throw new Error(`the service answered ${answer.status}`);
    outcome.innerHTML = await answer.text();
    follow(outcome.querySelector("article"));
    if (outcome.getBoundingClientRect().top < 0) outcome.scrollIntoView({ block: "start" });
  } catch (error) {
    outcome.textContent = `That did not work: ${error.message}.`;
  } finally {
    button.disabled = false;
    button.textContent = label;
    button.removeAttribute("aria-busy");
  }
  look();
}

function countDown() {
  for (const value of now.querySelectorAll("[data-seconds]")) {
    const left = Math.max(0, value.dataset.seconds - 1);
    value.dataset.seconds = left;
    value.textContent = left ? `in ${left} s` : "next call";
  }
}

async function look() {
  if (asking || document.hidden || now.contains(document.activeElement) && document.activeElement !== document.body) return;
  asking = true;
  try {
    const asked = new URLSearchParams({ trace, cohort });
    if (trace && now.querySelector("[data-trace]")?.dataset.trace === trace) asked.set("seen", "1");
    const answer = await fetch(`${now.dataset.now}?${asked}`);
    const text = await answer.text();
    if (answer.ok && text !== shown) {
      const open = [...now.querySelectorAll("details")].map((one) => one.open), left = now.querySelector(".scrolls")?.scrollLeft;
      now.innerHTML = shown = text;
      now.querySelectorAll("details").forEach((one, place) => { one.open = Boolean(open[place]); });
      if (left) now.querySelector(".scrolls")?.scrollTo({ left, behavior: "instant" });
    }
  } catch {
    // the service may be restarting: the next look tells
  } finally {
    asking = false;
  }
}

document.addEventListener("submit", (event) => {
  if (event.target.matches("form[data-live]")) {
    event.preventDefault();
    send(event.target);
  }
});
// nobody watches a page for ever: after a while it looks less often
setInterval(() => { countDown(); if (++looks < QUIET_AFTER || looks % 10 === 0) look(); }, POLL_MS);
