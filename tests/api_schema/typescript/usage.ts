// Every operation of v1 through openapi-fetch and the types made by openapi-typescript; the test runs it with v2 in
// v1's place, too: node usage.js URL EMAIL PASSWORD MAILBOX, of a staff user who may be deleted; MAILBOX has the links in
// mails.

import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };

const [, , url, email, password, mailbox] = process.argv;
if (!url || !email || !password || !mailbox) throw new Error("usage: node usage.js URL EMAIL PASSWORD MAILBOX");
const client = createClient<paths>({ baseUrl: url });

function check(right: boolean, what: unknown): asserts right {
  if (!right) throw new Error(JSON.stringify(what));
}

async function tokens(email: string, password: string): Promise<string> {
  const refused = await client.POST("/api/v1/auth/token", { body: { email, password: "no password of anybody" } });
  check(refused.error?.code === "wrong_credentials" && refused.error.status === 401, refused.error);
  const { data: pair, error } = await client.POST("/api/v1/auth/token", { body: { email, password } });
  check(pair !== undefined, error);
  const again = {
    body: { refresh: pair.refresh },
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
  };
  const first = await client.POST("/api/v1/auth/token/refresh", again);
  const second = await client.POST("/api/v1/auth/token/refresh", again);
  check(first.data !== undefined && first.data.refresh === second.data?.refresh, second.error);
  return first.data.access;
}

async function account(password: string): Promise<void> {
  const [old, changed, another] = ["account-v1@example.com", "changed-v1@example.com", "quite another phrase"];
  const mailed = async (address: string) => ({ token: await (await fetch(`${mailbox}/${address}`)).text() });
  const done = (answer: { response: Response }, status: number) => check(answer.response.status === status, answer);
  const headers = { Authorization: `Bearer ${await tokens(old, password)}` };
  await mailed(old);
  done(await client.POST("/api/v1/auth/email-verification/resend", { headers }), 202);
  done(await client.POST("/api/v1/auth/email-verification", { body: await mailed(old) }), 204);
  const used = await client.POST("/api/v1/auth/email-verification", { body: { token: "used" } });
  check(used.error?.code === "invalid_token", used.error);
  done(await client.POST("/api/v1/auth/password", { headers, body: { current: password, new: another } }), 204);
  done(await client.POST("/api/v1/auth/email", { headers, body: { email: changed, password: another } }), 202);
  done(await client.POST("/api/v1/auth/email-verification", { body: await mailed(changed) }), 204);
  done(await client.POST("/api/v1/auth/email/undo", { body: await mailed(old) }), 204);
  done(await client.POST("/api/v1/auth/password-reset", { body: { email: old } }), 202);
  const body = { ...(await mailed(old)), password };
  done(await client.POST("/api/v1/auth/password-reset/confirm", { body }), 204);
  await tokens(old, password);
}

async function sessions(email: string, password: string): Promise<void> {
  const [first, second] = [await tokens(email, password), await tokens(email, password)];
  const headers = { Authorization: `Bearer ${second}` };
  const listed = await client.GET("/api/v1/auth/sessions", { headers });
  const [newest, before] = listed.data?.results ?? [];
  check(newest?.current === true && newest.network === "127.0.0.0/24" && before?.current === false, listed);
  const path = { session_id: before.id };
  const ended = await client.DELETE("/api/v1/auth/sessions/{session_id}", { headers, params: { path } });
  check(ended.response.status === 204, ended.error);
  const others = await client.DELETE("/api/v1/auth/sessions", { headers });
  check(others.response.status === 204, others.error);
  const out = await client.POST("/api/v1/auth/logout", { headers });
  check(out.response.status === 204, out.error);
  const refused = await client.GET("/api/v1/auth/sessions", { headers: { Authorization: `Bearer ${first}` } });
  check(refused.response.status === 401, refused.data);
}

async function secondFactor(email: string, password: string): Promise<void> {
  const headers = { Authorization: `Bearer ${await tokens(email, password)}` };
  const { data: drawn, error } = await client.POST("/api/v1/auth/totp", { headers });
  check(drawn?.qr.startsWith("<svg") === true, error);
  const code = await codeOf(drawn.secret);
  const { data: codes, error: wrong } = await client.POST("/api/v1/auth/totp/confirm", { headers, body: { code } });
  const [first, second] = codes?.recovery_codes ?? [];
  check(first !== undefined && second !== undefined, wrong);
  const asked = await client.POST("/api/v1/auth/token", { body: { email, password } });
  check(asked.error?.code === "otp_required" && asked.error.status === 401, asked.error);
  const pair = await client.POST("/api/v1/auth/token", { body: { email, password, otp: first } });
  check(pair.data !== undefined, pair.error);
  const removed = await client.DELETE("/api/v1/auth/totp", { headers, body: { code: second } });
  check(removed.response.status === 204, removed.error);
}

// what an authenticator app shows now (RFC 6238)
async function codeOf(secret: string): Promise<string> {
  const bits = [...secret].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"));
  const bytes = bits.join("").match(/.{8}/g) ?? [];
  const hmac = { name: "HMAC", hash: "SHA-1" };
  const raw = new Uint8Array(bytes.map((byte) => parseInt(byte, 2)));
  const key = await crypto.subtle.importKey("raw", raw, hmac, false, ["sign"]);
  const counter = new DataView(new ArrayBuffer(8));
  counter.setBigUint64(0, BigInt(Math.floor(Date.now() / 30_000)));
  const digest = new DataView(await crypto.subtle.sign("HMAC", key, counter.buffer));
  const number = digest.getUint32(digest.getUint8(19) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

async function users(): Promise<void> {
  const refused = await client.POST("/api/v1/users", { body: { email: "v1@example.com", name: "" } });
  check(refused.error?.errors?.[0]?.pointer === "/name", refused.error);
  const { data: made, error } = await client.POST("/api/v1/users", { body: { email: "v1@example.com", name: "Ada" } });
  check(made !== undefined, error);
  const path = { user_id: made.id };
  const read = await client.GET("/api/v1/users/{user_id}", { params: { path } });
  const tag = read.response.headers.get("ETag");
  check(read.data?.created_at === made.created_at && tag !== null, read.error);
  const changes = { params: { path, header: { "If-Match": tag } }, body: { name: "Ada King" } };
  const changed = await client.PATCH("/api/v1/users/{user_id}", changes);
  check(changed.data?.id === made.id && changed.data.name === "Ada King", changed.error);
  const late = await client.PATCH("/api/v1/users/{user_id}", changes);
  check(late.error?.code === "precondition_failed", late.error);
  check((await emails()).includes("v1@example.com"), "the list");
  const gone = await client.DELETE("/api/v1/users/{user_id}", { params: { path } });
  check(gone.response.status === 204, gone.error);
}

async function emails(): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const query = { limit: 2, is_active: true, search: "@example.com", cursor };
    const { data: page, error } = await client.GET("/api/v1/users", { params: { query } });
    check(page !== undefined, error);
    found.push(...page.results.map((user) => user.email));
    cursor = page.next ?? undefined;
  } while (cursor);
  return found;
}

async function jobs(): Promise<void> {
  const rows = [{ city: "London", people: 8.9, tags: ["big"] }];
  const begun = await client.POST("/api/v1/process", { body: { rows } });
  check(begun.data !== undefined, begun.error);
  const cancelled = await client.DELETE("/api/v1/tasks/{task_id}", { params: { path: begun.data } });
  check(cancelled.data?.status === "REVOKED" && cancelled.data.result === null, cancelled.error);
  const sent = await client.POST("/api/v1/users/import", {
    body: "email,name\nimported-v1@example.com,Ada\nx,y\n",
    bodySerializer: (body) => body,
    headers: { "Content-Type": "text/csv" },
  });
  check(sent.data !== undefined, sent.error);
  const done = await finished(sent.data.task_id);
  check(done.kind === "import_users" && done.result?.created === 1 && done.result.rejected === 1, done);
  const refused = await client.GET("/api/v1/tasks/{task_id}/errors", { params: { path: sent.data }, parseAs: "text" });
  check(refused.data?.startsWith("line,code,detail") === true, refused.error);
}

type Task = components["schemas"]["Task"];

async function finished(task_id: string): Promise<Task> {
  const until = Date.now() + 60_000;
  while (Date.now() < until) {
    const { data: task, error } = await client.GET("/api/v1/tasks/{task_id}", { params: { path: { task_id } } });
    check(task !== undefined, error);
    if (task.status === "SUCCESS" || task.status === "FAILURE") return task;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(task_id);
}

async function exported(): Promise<void> {
  const asked = await client.POST("/api/v1/users/me/export");
  check(asked.data !== undefined, asked.error);
  const dropped = await client.DELETE("/api/v1/tasks/{task_id}", { params: { path: asked.data } });
  check(dropped.response.status === 202, dropped.error);
}

async function webhooks(): Promise<void> {
  const { data: made, error } = await client.POST("/api/v1/webhooks", {
    body: { url: "https://example.com/v1", event_types: ["user.created"], description: "" },
  });
  check(made !== undefined && made.secret.startsWith("whsec_"), error);
  const path = { webhook_id: made.id };
  const shown = await client.GET("/api/v1/webhooks/{webhook_id}", { params: { path } });
  check(shown.data?.id === made.id && shown.data.event_types[0] === "user.created", shown.error);
  const changes = { params: { path }, body: { description: "CRM" } };
  const changed = await client.PATCH("/api/v1/webhooks/{webhook_id}", changes);
  check(changed.data?.description === "CRM", changed.error);
  const rotated = await client.POST("/api/v1/webhooks/{webhook_id}/rotate-secret", { params: { path } });
  check(rotated.data !== undefined && rotated.data.secret !== made.secret, rotated.error);
  const listed = await client.GET("/api/v1/webhooks", { params: { query: { limit: 1 } } });
  check(listed.data?.results[0]?.id === made.id && listed.data.next === null, listed.error);
  await deliveries(made.id);
  const gone = await client.DELETE("/api/v1/webhooks/{webhook_id}", { params: { path } });
  check(gone.response.status === 204, gone.error);
}

async function deliveries(webhook_id: number): Promise<void> {
  const sent = await client.POST("/api/v1/webhooks/{webhook_id}/test", { params: { path: { webhook_id } } });
  check(sent.data !== undefined, sent.error);
  const path = { webhook_id, delivery_id: sent.data.delivery_id };
  const again = await client.POST("/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/retry", { params: { path } });
  check(again.data?.delivery_id === sent.data.delivery_id, again.error);
  const page = await client.GET("/api/v1/webhooks/{webhook_id}/deliveries", { params: { path: { webhook_id } } });
  const delivery = page.data?.results[0];
  check(delivery?.event_id === null && delivery.payload.type === "webhook.test", page.error);
}

async function feed(): Promise<void> {
  const type = "user.created";
  const { data: page, error } = await client.GET("/api/v1/events", { params: { query: { type, limit: 100 } } });
  check(page !== undefined, error);
  check(page.results.some((event) => event.data.email === "imported-v1@example.com"), page);
  const rest = await client.GET("/api/v1/events", { params: { query: { type, cursor: page.next } } });
  check(rest.data?.results.length === 0 && rest.data.next === page.next, rest.error);
}

async function me(password: string): Promise<void> {
  const read = await client.GET("/api/v1/users/me");
  check(read.data !== undefined, read.error);
  const changed = await client.PATCH("/api/v1/users/me", { body: { name: "Leaving" } });
  check(changed.data?.id === read.data.id && changed.data.name === "Leaving", changed.error);
  await exported();
  const gone = await client.DELETE("/api/v1/users/me", { body: { password } });
  check(gone.response.status === 204, gone.error);
}

await account(password);
await sessions(email, password);
await secondFactor(email, password);
const access = await tokens(email, password);
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${access}`);
    return request;
  },
});
for (const part of [users, jobs, webhooks, feed]) await part();
await me(password);
