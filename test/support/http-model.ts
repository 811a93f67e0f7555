import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Target } from "../../src/target/target.ts";
import { float32, sizeOf } from "../../src/tensor/index.ts";

export interface HttpModel {
  readonly url: string;
  /** Bodies received so far, parsed, and their headers. */
  readonly received: { readonly body: unknown; readonly headers: IncomingMessage["headers"]; readonly at: number }[];
  /** Answers to give before normal service begins, in order. */
  readonly misbehave: ((request: IncomingMessage, response: ServerResponse) => void)[];
  close(): Promise<void>;
}

/**
 * Serves a target over HTTP on this machine. POST {"instances": [...]} of any nesting answers
 * {"predictions": [{"scores": [...], "label": 3}]}, scores as probabilities.
 */
export async function serveModel(target: Target, classNames?: readonly string[]): Promise<HttpModel> {
  const received: HttpModel["received"] = [];
  const misbehave: HttpModel["misbehave"] = [];
  const each = sizeOf(target.inputShape);
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = JSON.parse(Buffer.concat(parts).toString("utf8")) as { instances: unknown[] };
    received.push({ body, headers: request.headers, at: performance.now() });
    const bad = misbehave.shift();
    if (bad !== undefined) return bad(request, response);
    const numbers = Float32Array.from((body.instances as unknown[]).flat(16) as number[]);
    const n = numbers.length / each;
    const scores = await target.scores(float32([n, ...target.inputShape], numbers));
    const predictions = Array.from({ length: n }, (_, i) => {
      const row = [...scores.subarray(i * target.classes, (i + 1) * target.classes)];
      const top = Math.max(...row);
      const exp = row.map((v) => Math.exp(v - top));
      const sum = exp.reduce((a, b) => a + b, 0);
      const label = row.indexOf(top);
      return { scores: exp.map((v) => v / sum), label: classNames?.[label] ?? label };
    });
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ predictions }));
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.statusCode = 400;
      response.end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/predict`,
    received,
    misbehave,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
