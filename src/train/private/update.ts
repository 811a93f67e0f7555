import type { Engine, Session } from "../../engine/engine.ts";
import { GraphBuilder, int, type Model } from "../../ir/index.ts";
import { float32, tensor } from "../../tensor/index.ts";
import type { UpdateRule } from "../optimizers.ts";
import type { Layout } from "../parameters.ts";
import type { TrainingState } from "../programs.ts";

/** One optimizer step from a gradient that is already noisy: post-processing, it costs no privacy. */
export interface Update {
  step(state: TrainingState, rates: readonly number[], gradient: Float32Array): Promise<TrainingState>;
  close(): Promise<void>;
}

/** Compiles an update rule alone. Inputs: parameters, gradient, states, rates. */
export async function openUpdate(engine: Engine, rule: UpdateRule, layout: Layout): Promise<Update> {
  const b = new GraphBuilder();
  const vector = (name: string): string => b.input(name, "float32", [layout.size]);
  const parameters = vector("parameters");
  const gradient = vector("gradient");
  const states = Array.from({ length: rule.states }, (_, i) => vector(`state.${i}`));
  const packed = b.input("rates", "float32", [rule.rates]);
  const rates = b.opN("Split", [packed], rule.rates, { axis: int(0), num_outputs: int(rule.rates) }, "rate");
  const updated = rule.emit(b, parameters, gradient, states, rates);
  const outputs = [updated.parameters, ...updated.states].map((name, i) => b.output(name, "float32", null, `out.${i}`));
  const model: Model = {
    irVersion: 8,
    opsets: { "": 18 },
    producer: "marauder",
    producerVersion: "",
    metadata: {},
    graph: { ...b.build(), name: "update" },
  };
  const session: Session = await engine.load(model, { threads: 1 });
  return {
    async step(state, given, values) {
      const feed = (data: Float32Array) => tensor("float32", [layout.size], data);
      const feeds = {
        parameters: feed(state.parameters),
        gradient: feed(values),
        rates: float32([given.length], given),
        ...Object.fromEntries(state.states.map((s, i) => [`state.${i}`, feed(s)])),
      };
      const out = await session.run(feeds);
      const [next, ...rest] = outputs.map((name) => out[name]!.data as Float32Array);
      return { parameters: next!, states: rest };
    },
    close: () => session.close(),
  };
}
