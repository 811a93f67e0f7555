import type { Engine, Session } from "../../engine/engine.ts";
import { GraphBuilder, int, type Model } from "../../ir/index.ts";
import { float32, type Tensor } from "../../tensor/index.ts";
import type { UpdateRule } from "../optimizers.ts";
import { slotsOf, type Layout } from "../parameters.ts";
import { runInto } from "../run-into.ts";
import type { TrainingState } from "../programs.ts";

/** One optimizer step from a gradient that is already noisy: post-processing, it costs no privacy. */
export interface Update {
  step(state: TrainingState, rates: readonly number[], gradient: Float32Array): Promise<TrainingState>;
  close(): Promise<void>;
}

/** Compiles an update rule alone. Inputs, for each slot: parameter, gradient, states; and the rates. */
export async function openUpdate(engine: Engine, rule: UpdateRule, layout: Layout): Promise<Update> {
  const b = new GraphBuilder();
  const packed = b.input("rates", "float32", [rule.rates]);
  const rates = b
    .opN("Split", [packed], rule.rates, { axis: int(0), num_outputs: int(rule.rates) }, "rate")
    .map((rate) => b.squeeze(rate, [0]));
  const tensors = layout.slots.map(({ dims }, k) => {
    const input = (name: string): string => b.input(`${name}.${k}`, "float32", dims);
    const states = Array.from({ length: rule.states }, (_, i) => input(`state.${i}`));
    return { parameter: input("parameter"), gradient: input("gradient"), states, rank: dims.length };
  });
  const outputs = rule
    .emit(b, tensors, rates)
    .map((updated, k) =>
      [updated.parameters, ...updated.states].map((name, i) => b.output(name, "float32", null, `out.${i}.${k}`)),
    );
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
    async step(state, given, gradient) {
      const feeds: Record<string, Tensor> = { rates: float32([given.length], given) };
      const into: Record<string, Tensor<"float32">> = {};
      const feed = (flat: Float32Array, nameOf: (k: number) => string): void =>
        slotsOf(layout, flat).forEach((slot, k) => (feeds[nameOf(k)] = slot));
      feed(state.parameters, (k) => tensors[k]!.parameter);
      feed(gradient, (k) => tensors[k]!.gradient);
      state.states.forEach((s, i) => feed(s, (k) => tensors[k]!.states[i]!));
      const next = [state.parameters, ...state.states].map(() => new Float32Array(layout.size));
      next.forEach((flat, i) => slotsOf(layout, flat).forEach((slot, k) => (into[outputs[k]![i]!] = slot)));
      await runInto(session, feeds, into);
      return { parameters: next[0]!, states: next.slice(1) };
    },
    close: () => session.close(),
  };
}
