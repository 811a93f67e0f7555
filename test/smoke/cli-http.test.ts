import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seeded } from "../../src/random/index.ts";
import { float32 } from "../../src/tensor/index.ts";
import { assertBuilt, marauder, type CliOptions } from "../support/cli.ts";
import { serveModel, type HttpModel } from "../support/http-model.ts";
import { linearTarget } from "../support/linear-target.ts";
import { npzOf, tinyImages } from "../support/tiny-files.ts";

const folder = mkdtempSync(join(tmpdir(), "marauder-http-"));
const SECRET = "s3cr3t-planted-7f2c";
let server: HttpModel;
const run = (args: readonly string[], more: Partial<CliOptions> = {}) =>
  marauder(args, { cwd: folder, env: { MODEL_TOKEN: SECRET }, ...more });
const data = ["--data", "test.npz", "--bounds", "0,1"];
const attack = (url: string, ...rest: string[]) =>
  run(["attack", "square", url, ...data, "--http", "http.yaml", "--option", "queries=20", "--samples", "6", ...rest]);

const fast = "retries: 1\nbackoffMs: 5\ntimeoutMs: 5000\n";

beforeAll(async () => {
  assertBuilt();
  const target = linearTarget(seeded(5), { shape: [8, 8], classes: 3 });
  server = await serveModel(target);
  const { x } = tinyImages(24);
  writeFileSync(join(folder, "test.npz"), npzOf(x, await target.label(float32([24, 8, 8], x))));
  const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  put("http.yaml", `request: {instances: $inputs}\nresponse: {scores: "predictions[*].scores"}\n${fast}`);
  put("label.yaml", `request: {instances: $inputs}\nresponse: {label: "predictions[*].label"}\n${fast}`);
  put("wrong.yaml", `request: {instances: $inputs}\nresponse: {scores: "answers[*]"}\n${fast}`);
  put("typo.yaml", `request: {instances: $inputs}\nrespons: {scores: "predictions[*].scores"}\n`);
  put("slow.yaml", `request: {instances: $inputs}\nresponse: {scores: "predictions[*].scores"}\nretries: 50\n`);
  put("budget.yaml", `request: {instances: $inputs}\nresponse: {scores: "predictions[*].scores"}\nmaxQueries: 3\n`);
  put(
    "secret.json",
    JSON.stringify({
      request: { instances: "$inputs", api_key: SECRET },
      response: { scores: "predictions[*].scores" },
      headers: { authorization: "Bearer $ENV:MODEL_TOKEN", "x-key": SECRET },
      requestsPerSecond: 1000,
      backoffMs: 5,
    }),
  );
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("an endpoint from the command line", () => {
  it("is attacked by scores; a gradient attack says that there is none", async () => {
    const { code, stdout } = await attack(server.url, "--json", "--eps", "0.3");
    expect(code).toBe(0);
    const result = JSON.parse(stdout);
    expect(result.cleanAccuracy.value).toBe(1);
    expect(result.gradients).toBe(0);
    expect(result.queries).toBeGreaterThan(6);
    const pgd = await run(["attack", "pgd", server.url, ...data, "--http", "http.yaml"]);
    expect(pgd.code).toBe(3);
    expect(pgd.stderr).toMatch(/CAPABILITY_MISSING/);
  });

  it("is audited; no credential appears in anything written or printed", { timeout: 60_000 }, async () => {
    server.received.splice(0);
    const url = `${server.url}?api_key=${SECRET}`;
    const line = ["audit", url, ...data, "--http", "secret.json", "--classes", "3", "--quick", "--samples", "5"];
    const { code, stdout, stderr } = await run([...line, "--only", "evasion", "--out", "out"]);
    expect(code, stderr).toBe(0);
    expect(server.received[0]!.headers["authorization"]).toBe(`Bearer ${SECRET}`);
    const files = readdirSync(join(folder, "out"), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.[a-z]+$/.test(name))
      .map((name) => readFileSync(join(folder, "out", name), "utf8"));
    expect(files.length).toBeGreaterThan(5);
    for (const text of [...files, stdout, stderr]) expect(text).not.toContain(SECRET);
    expect(files.join()).toContain("Bearer $ENV:MODEL_TOKEN"); // the name of a secret is no secret
    const again = await run([...line, "--only", "evasion", "--out", "out"]);
    expect(again.stderr).toMatch(/evasion: already on disk/);
    expect((await run(["report", "out"])).code).toBe(0);
  });

  it("errors hide the credentials that a server echoes", async () => {
    server.misbehave.push((request, response) => {
      response.statusCode = 401;
      response.end(`no such key: ${request.headers["x-key"] as string}`);
    });
    const line = ["attack", "square", `${server.url}?api_key=${SECRET}`, ...data, "--http", "secret.json"];
    const { code, stderr } = await run(line);
    expect(code).toBe(3);
    expect(stderr).toMatch(/answers status 401; expected 200; check url, headers and request/);
    expect(stderr).not.toContain(SECRET);
    const user = await run(["attack", "square", server.url.replace("//", `//me:${SECRET}@`), ...data]);
    expect(user.code).toBe(2);
    expect(user.stderr).toMatch(/URL holds a user name or password/);
    expect(user.stderr).not.toContain(SECRET);
    const unset = await run(line, { env: { MODEL_TOKEN: "" } });
    expect(unset.code).toBe(2);
    expect(unset.stderr).toMatch(/needs the environment variable MODEL_TOKEN, which is not set/);
  });

  it("says what a bad endpoint does", async () => {
    const bad = (status: number, text: string) => () =>
      server.misbehave.push((_request, response) => {
        response.statusCode = status;
        response.end(text);
      });
    bad(200, "<html>hello</html>")();
    expect((await attack(server.url)).stderr).toMatch(/not JSON: .*hello.*HTTP_ANSWER/);
    bad(500, "")();
    bad(500, "")();
    expect((await attack(server.url)).stderr).toMatch(/answers 500; gave up after 2 tries.*HTTP_UNREACHABLE/);
    const nobody = await attack("http://127.0.0.1:1/none");
    expect(nobody.code).toBe(3);
    expect(nobody.stderr).toMatch(/does not answer .*gave up after 2 tries/);
    const wrong = await run(["attack", "square", server.url, ...data, "--http", "wrong.yaml"]);
    expect([wrong.code, wrong.stderr]).toEqual([3, expect.stringMatching(/answers.*HTTP_ANSWER/s)]);
    const typo = await run(["attack", "square", server.url, ...data, "--http", "typo.yaml"]);
    expect([typo.code, typo.stderr]).toEqual([2, expect.stringMatching(/respons.*PLAN_INVALID/s)]);
    const budget = await run(["attack", "square", server.url, ...data, "--http", "budget.yaml"]);
    expect([budget.code, budget.stderr]).toEqual([3, expect.stringMatching(/BUDGET_SPENT/)]);
    const label = await run(["attack", "square", server.url, ...data, "--http", "label.yaml"]);
    expect([label.code, label.stderr]).toEqual([3, expect.stringMatching(/CAPABILITY_MISSING/)]);
  });

  it("Ctrl-C ends a wait before a retry", async () => {
    const start = performance.now();
    const line = ["audit", server.url, ...data, "--http", "slow.yaml", "--only", "evasion", "--out", "stopped"];
    const { code, stderr } = await run(line, {
      onSpawn: (child) => {
        server.misbehave.push((_request, response) => {
          response.statusCode = 503;
          response.setHeader("retry-after", "50");
          response.end();
          setTimeout(() => child.kill("SIGINT"), 200);
        });
      },
    });
    expect(code).toBe(130);
    expect(stderr).toMatch(/finished work is kept/);
    expect(performance.now() - start).toBeLessThan(30_000);
  });
});
