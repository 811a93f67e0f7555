import { describe, expect, it } from "vitest";
import { publicPlan, publicSubject, publicUrl } from "./public-plan.ts";

const SECRET = "hunter2-hunter2";

describe("what is written down of a plan", () => {
  it("drops user, password, query and fragment of URLs", () => {
    expect(publicUrl(`https://me:${SECRET}@host:8080/a/b?key=${SECRET}#${SECRET}`)).toBe("https://host:8080/a/b");
    expect(() => publicUrl(`http://[${SECRET}`)).toThrow(/not valid/);
    expect(() => publicUrl(`http://[${SECRET}`)).not.toThrow(new RegExp(SECRET));
  });

  it("hides header values and credentials inside the request, and keeps what names a secret", () => {
    const subject = publicSubject({
      id: "a",
      model: `https://host/x?k=${SECRET}`,
      data: "d.csv",
      http: {
        url: `https://host/x?k=${SECRET}`,
        headers: { a: SECRET, b: "Bearer $ENV:TOKEN", c: `${SECRET}$ENV:TOKEN`, d: `Basic ${SECRET}` },
        request: { instances: "$inputs", apiKey: SECRET, deep: [{ auth: { user: SECRET, id: 7 }, password: SECRET }] },
        response: { scores: "p[*]" },
        retries: 2,
      },
    });
    expect(JSON.stringify(subject)).not.toContain(SECRET);
    expect(subject.http).toEqual({
      url: "https://host/x",
      headers: { a: "***", b: "Bearer $ENV:TOKEN", c: "***", d: "***" },
      request: { instances: "$inputs", apiKey: "***", deep: [{ auth: "***", password: "***" }] },
      response: { scores: "p[*]" },
      retries: 2,
    });
  });

  it("leaves files and everything else alone", () => {
    const plan = {
      schema: 1,
      seed: 3,
      quick: true,
      subjects: [{ id: "a", model: "m.onnx?x", data: "d.npz", bounds: [0, 1] }],
      probes: [],
      repairs: [],
    } as const;
    expect(publicPlan(plan)).toEqual(plan);
  });
});
