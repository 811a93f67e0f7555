import { spawnSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";

/** Loads a chain of products into two lanes, has them run it four times, and then does `after` while they are at it. */
const program = (after: string): string => `
  const at = (path) => import(new URL("dist/" + path, ${JSON.stringify(pathToFileURL("./").href)}).href);
  const { ortEngine } = await at("engine/index.js");
  const { GraphBuilder } = await at("ir/index.js");
  const { float32 } = await at("tensor/index.js");
  const n = 256;
  const b = new GraphBuilder();
  const w = b.constant(float32([n, n]));
  let x = b.input("x", "float32", [n, n]);
  for (let i = 0; i < 20; i++) x = b.matmul(x, w);
  b.output(x, "float32", [n, n], "y");
  const model = { irVersion: 8, opsets: { "": 18 }, producer: "", producerVersion: "", metadata: {}, graph: b.build() };
  const session = await ortEngine.load(model, { threads: 2, lanes: true });
  const run = { feeds: { x: float32([n, n]) } };
  await session.runAll([run, run]);
  const running = session.runAll([run, run, run, run]);
  ${after}
`;

// A thread that is ended inside ONNX Runtime aborts the process (134), now and then.
test.each([
  ["setImmediate(() => process.exit(5));", 5],
  ["setTimeout(() => { throw new Error('boom'); }, 1);", 1],
  ["await running;", 0],
  ["await running; await session.close();", 0],
])("a process ends as it means to with lanes at work: %s", (after, code) => {
  const ended = spawnSync(process.execPath, ["--input-type=module", "-e", program(after)], { timeout: 30_000 });
  expect([ended.status, ended.signal]).toEqual([code, null]);
});
