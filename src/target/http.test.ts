import { afterEach, describe, expect, it } from "vitest";
import { serveModel } from "../../test/support/http-model.ts";
import type { HttpModel } from "../../test/support/http-model.ts";
import { linearTarget } from "../../test/support/linear-target.ts";
import { seeded } from "../random/index.ts";
import { float32 } from "../tensor/index.ts";
import { retryAfter } from "./http-client.ts";
import { openHttpTarget } from "./http.ts";
import type { HttpConfigInput } from "./http.ts";

const rng = seeded(1);
const inputShape = [2, 3];
const model = linearTarget(rng, { shape: inputShape, classes: 4 });
const xs = (n: number) =>
  float32(
    [n, 2, 3],
    Float32Array.from({ length: 6 * n }, (_, i) => ((i * 7) % 11) / 11),
  );

const open: HttpModel[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function serve(classNames?: readonly string[]): Promise<HttpModel> {
  const server = await serveModel(model, classNames);
  open.push(server);
  return server;
}

const base = (url: string): HttpConfigInput => ({
  url,
  request: { instances: "$inputs" },
  response: { scores: "predictions[*].scores" },
  inputShape,
  classes: 4,
  bounds: { low: 0, high: 1 },
  backoffMs: 1,
  batch: 4,
});

describe("openHttpTarget", () => {
  it("gives the model's scores up to a constant for each example, in batches", async () => {
    const server = await serve();
    const target = await openHttpTarget(base(server.url), { rng });
    const x = xs(10);
    const got = await target.scores(x);
    const want = await model.scores(x);
    for (let i = 0; i < 10; i++) {
      const shift = got[i * 4]! - want[i * 4]!;
      for (let c = 1; c < 4; c++) expect(got[i * 4 + c]! - want[i * 4 + c]!).toBeCloseTo(shift, 4);
    }
    expect(await target.label(x)).toEqual(await model.label(x));
    expect(target.meter.queries).toBe(20);
    expect(target.http).toEqual({ requests: 6, retries: 0 });
    expect(server.received.map((r) => (r.body as { instances: unknown[] }).instances.length)).toEqual([
      4, 4, 2, 4, 4, 2,
    ]);
    expect((server.received[0]!.body as { instances: number[][][] }).instances[0]).toEqual([
      [...x.data.subarray(0, 3)],
      [...x.data.subarray(3, 6)],
    ]);
    expect([...target.can]).toEqual(["label", "scores"]);
    expect(target.scoresAre).toBe("log-probabilities");
    await expect(target.gradient(x, new Int32Array(10), { kind: "margin" })).rejects.toMatchObject({
      code: "CAPABILITY_MISSING",
    });
  });

  it("sends flat, joined and single examples, shapes and whole numbers", async () => {
    const server = await serve();
    const x = float32([2, 2, 3], [0.4, 1.6, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    const send = async (change: Partial<HttpConfigInput>): Promise<unknown[]> => {
      const from = server.received.length;
      await (await openHttpTarget({ ...base(server.url), ...change }, { rng })).scores(x);
      return server.received.slice(from).map((r) => r.body);
    };
    const rows = [[...x.data.subarray(0, 6)], [...x.data.subarray(6)]];
    expect(await send({ layout: "flat" })).toEqual([{ instances: rows }]);
    expect(await send({ layout: "joined", request: { shape: "$shape", instances: "$inputs" } })).toEqual([
      { shape: [2, 2, 3], instances: rows.flat() },
    ]);
    expect(await send({ layout: "flat", request: { instances: ["$input"] } })).toEqual(
      rows.map((row) => ({ instances: [row] })),
    );
    const whole = (await send({ layout: "flat", integers: true })) as { instances: number[][] }[];
    expect(whole[0]!.instances[0]!.slice(0, 2)).toEqual([0, 2]);
  });

  it("reads labels as numbers and as names", async () => {
    const names = ["ant", "bee", "cat", "dog"];
    const numbers = await serve();
    const words = await serve(names);
    const want = await model.label(xs(7));
    const ask = async (url: string, response: HttpConfigInput["response"]): Promise<Int32Array> => {
      const target = await openHttpTarget({ ...base(url), response }, { rng });
      expect([...target.can]).toEqual(["label"]);
      await expect(target.scores(xs(1))).rejects.toMatchObject({ code: "CAPABILITY_MISSING" });
      return await target.label(xs(7));
    };
    expect(await ask(numbers.url, { label: "predictions[*].label" })).toEqual(want);
    expect(await ask(words.url, { label: "predictions[*].label", classNames: names })).toEqual(want);
    await expect(ask(words.url, { label: "predictions[*].label" })).rejects.toMatchObject({ code: "HTTP_ANSWER" });
  });

  it("tries again on 429, 500 and broken connections, and honours Retry-After", async () => {
    const server = await serve();
    server.misbehave.push(
      (_, response) => response.writeHead(429, { "retry-after": "1" }).end(),
      (_, response) => response.writeHead(503).end("busy"),
      (request) => request.socket.destroy(),
    );
    const target = await openHttpTarget(base(server.url), { rng });
    expect(await target.label(xs(2))).toEqual(await model.label(xs(2)));
    expect(target.http).toEqual({ requests: 4, retries: 3 });
    expect(server.received[1]!.at - server.received[0]!.at).toBeGreaterThan(950);
  });

  it("gives up after the retries with a code and no secret", async () => {
    const server = await serve();
    for (let i = 0; i < 3; i++) server.misbehave.push((_, response) => response.writeHead(500).end());
    const target = await openHttpTarget({ ...base(`${server.url}?key=hunter2`), retries: 2 }, { rng });
    const error = await target.label(xs(1)).catch((e: unknown) => e as Error & { code: string });
    expect(error).toMatchObject({ code: "HTTP_UNREACHABLE" });
    expect((error as Error).message).toContain("answers 500");
    expect((error as Error).message).not.toContain("hunter2");
    await server.close();
    open.length = 0;
    await expect(target.label(xs(1))).rejects.toMatchObject({
      code: "HTTP_UNREACHABLE",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  it("does not wait longer than allowed, and times out", async () => {
    const server = await serve();
    const target = await openHttpTarget({ ...base(server.url), timeoutMs: 100, retries: 0, maxWaitMs: 2000 }, { rng });
    server.misbehave.push(() => undefined);
    await expect(target.label(xs(1))).rejects.toThrow(/within 100 ms/);
    const patient = await openHttpTarget({ ...base(server.url), maxWaitMs: 2000 }, { rng });
    server.misbehave.push((_, response) => response.writeHead(429, { "retry-after": "3600" }).end());
    await expect(patient.label(xs(1))).rejects.toThrow(/3600 s/);
  });

  const wrong: [string, string, RegExp][] = [
    ["no JSON", "<html>\u001b[31m no", /not JSON/],
    ["another field", '{"outputs": 1}', /"predictions"/],
    ["too few rows", '{"predictions": [{"scores": [0.5, 0.5, 0, 0]}]}', /expected 2 examples of 4 scores/],
    ["too few classes", '{"predictions": [{"scores": [1, 0]}, {"scores": [1, 0]}]}', /expected 2 examples of 4/],
    ["null", '{"predictions": [{"scores": [null, 0, 0, 0]}, {"scores": [1, 0, 0, 0]}]}', /null.*expected numbers/],
    ["logits", '{"predictions": [{"scores": [-3, 0, 0, 4]}, {"scores": [1, 0, 0, 0]}]}', /response\.kind/],
    ["a prototype", '{"__proto__": {"predictions": []}}', /"predictions"/],
  ];
  it.each(wrong)("refuses %s at once, in one printable line", async (_, body, message) => {
    const server = await serve();
    server.misbehave.push((_, response) => response.end(body));
    const target = await openHttpTarget(base(server.url), { rng });
    const error = (await target.scores(xs(2)).catch((e: unknown) => e)) as Error;
    expect(error).toMatchObject({ code: "HTTP_ANSWER" });
    expect(error.message).toMatch(message);
    expect(error.message).not.toMatch(/\p{Cc}/u);
    expect(target.http.requests).toBe(1);
  });

  it("refuses other statuses, redirects and answers that are too long", async () => {
    const server = await serve();
    const target = await openHttpTarget({ ...base(server.url), maxResponseBytes: 1000 }, { rng });
    server.misbehave.push((_, response) => response.writeHead(404).end("no such model"));
    await expect(target.label(xs(1))).rejects.toThrow(/404.*no such model/);
    server.misbehave.push((_, response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end());
    await expect(target.label(xs(1))).rejects.toThrow(/302/);
    server.misbehave.push((_, response) => response.end("x".repeat(100_000)));
    await expect(target.label(xs(1))).rejects.toThrow(/more than 1000 bytes/);
  });

  it("takes header values from the environment and never shows them", async () => {
    const server = await serve();
    const config = { ...base(server.url), headers: { Authorization: "Bearer $ENV:MODEL_KEY" } };
    await expect(openHttpTarget(config, { rng, env: {} })).rejects.toThrow(/MODEL_KEY/);
    const target = await openHttpTarget(config, { rng, env: { MODEL_KEY: "s3cretvalue" } });
    await target.label(xs(1));
    expect(server.received.at(-1)!.headers["authorization"]).toBe("Bearer s3cretvalue");
    server.misbehave.push((request, response) => response.writeHead(403).end(`no: ${request.headers.authorization}`));
    const error = (await target.label(xs(1)).catch((e: unknown) => e)) as Error;
    expect(error.message).toContain("403");
    expect(JSON.stringify([error.message, target])).not.toContain("s3cretvalue");
    const broken = openHttpTarget(config, { rng, env: { MODEL_KEY: "s3cret\nvalue" } });
    await expect(broken).rejects.toThrow(/^(?!.*s3cret)/);
    await expect(broken).rejects.toMatchObject({ code: "USAGE" });
  });

  it("keeps to a rate and to a budget", async () => {
    const server = await serve();
    const slow = await openHttpTarget({ ...base(server.url), requestsPerSecond: 20, batch: 1 }, { rng });
    const before = performance.now();
    await slow.label(xs(5));
    expect(performance.now() - before).toBeGreaterThan(190);
    const target = await openHttpTarget({ ...base(server.url), maxQueries: 5 }, { rng });
    await target.label(xs(3));
    const sent = server.received.length;
    await expect(target.label(xs(3))).rejects.toMatchObject({ code: "BUDGET_SPENT" });
    expect(server.received.length).toBe(sent);
    await target.label(xs(2));
  });

  it("stops when the user stops", async () => {
    const server = await serve();
    server.misbehave.push(() => undefined);
    const stop = new AbortController();
    const target = await openHttpTarget(base(server.url), { rng, signal: stop.signal });
    setTimeout(() => stop.abort(), 50);
    await expect(target.label(xs(1))).rejects.toMatchObject({ code: "CANCELLED" });
  });

  const badConfigs: [string, object, RegExp][] = [
    ["another scheme", { url: "file:///etc/passwd" }, /url/],
    ["a password in the URL", { url: "http://me:pass1234@localhost/" }, /header/],
    ["no placeholder", { request: { instances: [] } }, /\$inputs/],
    ["both placeholders", { request: ["$inputs", "$input"] }, /exactly one/],
    ["an unknown field", { retry: 3 }, /retry/],
    ["scores and label", { response: { scores: "a", label: "b" } }, /either/],
    ["a wrong path", { response: { scores: "a[b]" } }, /path/],
    ["bounds upside down", { bounds: { low: 1, high: 0 } }, /bounds/],
  ];
  it.each(badConfigs)("refuses a configuration with %s", async (_, change, message) => {
    const opened = openHttpTarget({ ...base("http://127.0.0.1:9/"), ...change } as HttpConfigInput, { rng });
    await expect(opened).rejects.toMatchObject({ code: "PLAN_INVALID", message: expect.stringMatching(message) });
    await expect(opened).rejects.not.toThrow(/pass1234/);
  });
});

describe("retryAfter", () => {
  it("reads seconds and dates", () => {
    expect(retryAfter("7")).toBe(7000);
    expect(retryAfter("Wed, 21 Oct 2015 07:28:10 GMT", Date.parse("2015-10-21T07:28:00Z"))).toBe(10_000);
    expect(retryAfter("Wed, 21 Oct 2015 07:28:10 GMT", Date.parse("2015-10-21T08:28:00Z"))).toBe(0);
    expect(retryAfter("soon")).toBeNull();
    expect(retryAfter(null)).toBeNull();
  });
});
