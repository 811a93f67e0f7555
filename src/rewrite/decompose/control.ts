import { getInt, getInts, int, subgraphs } from "../../ir/index.ts";
import type { Graph } from "../../ir/index.ts";
import { tensor } from "../../tensor/index.ts";
import { given, refuse, sizeAt, upTo, wanted, whole, type Decomposition, type Site } from "./context.ts";
import { appendIf, asBranch, inline } from "./inline.ts";

/** Most rounds that a loop is unrolled for. */
const MOST_ROUNDS = 4096;
/** Most nodes that one loop may make. */
const MOST_MADE = 200_000;

const bodyOf = (s: Site, name: string): Graph => {
  const a = s.node.attributes[name];
  return a?.type === "graph" ? a.value : refuse(s, `it has no ${name}`);
};

const nodesIn = (graph: Graph): number =>
  graph.nodes.reduce((n, node) => n + 1 + subgraphs(node).reduce((m, g) => m + nodesIn(g), 0), 0);

function checkRounds(s: Site, rounds: number, body: Graph): void {
  if (rounds > MOST_ROUNDS || rounds * nodesIn(body) > MOST_MADE) {
    refuse(s, `${rounds} rounds of ${nodesIn(body)} nodes are more than are unrolled (${MOST_ROUNDS} rounds)`);
  }
}

/** The branch that is taken, where the condition is known before the run; of another one the gradient is an If again. */
export const If: Decomposition = (s) => {
  const condition = s.numbers(s.node.inputs[0]);
  if (condition === null || condition.length !== 1) return refuse(s, "its condition is known only at run time");
  return inline(s.b, bodyOf(s, condition[0] === 0 ? "else_branch" : "then_branch"), []);
};

/** Most rounds of a loop that may stop early: each becomes an If. */
const MOST_CONDITIONAL = 512;

/** Unrolled, where the trip count is known before the run: plainly, or as one If in another where the body may ask to stop. */
export const Loop: Decomposition = (s) => {
  const { b, node } = s;
  const body = bodyOf(s, "body");
  const count = s.numbers(node.inputs[0]);
  const start = given(s, 1) === null ? [1] : s.numbers(node.inputs[1]);
  if (given(s, 0) === null || count === null || count.length !== 1)
    return refuse(s, "its trip count is known only at run time");
  if (start === null || !neverStops(s, body)) return stoppingLoop(s, body, count[0]!);
  const rounds = start[0] === 0 ? 0 : Math.max(0, count[0]!);
  checkRounds(s, rounds, body);
  let carried = node.inputs.slice(2);
  const scans: string[][] = body.outputs.slice(1 + carried.length).map(() => []);
  const go = b.constant(tensor("bool", [], Uint8Array.of(1)));
  for (let round = 0; round < rounds; round++) {
    const made = inline(b, body, [whole(s, round), go, ...carried]);
    carried = made.slice(1, 1 + carried.length);
    scans.forEach((list, i) => list.push(b.unsqueeze(made[1 + carried.length + i]!, [0])));
  }
  const stacked = scans.map((list, i) => {
    if (!wanted(s, carried.length + i)) return "";
    return list.length === 0
      ? refuse(s, "it collects the outputs of no round")
      : b.op("Concat", list, { axis: int(0) });
  });
  return [...carried, ...stacked];
};

/** At most `most` rounds, each only where the one before it said "go on"; else the carried values stay. */
function stoppingLoop(s: Site, body: Graph, most: number): string[] {
  const { b, node } = s;
  if (node.outputs.slice(node.inputs.length - 2).some((name) => name !== ""))
    return refuse(s, "it decides at run time when to stop, so the length of what it collects is open");
  if (most > MOST_CONDITIONAL)
    return refuse(
      s,
      `it decides at run time when to stop, after up to ${most} rounds; expected at most ${MOST_CONDITIONAL}`,
    );
  checkRounds(s, most, body);
  const yes = b.constant(tensor("bool", [], Uint8Array.of(1)));
  let go = given(s, 1) ?? yes;
  let carried = node.inputs.slice(2);
  const kept = body.outputs.slice(0, 1 + carried.length);
  for (let round = 0; round < most; round++) {
    const goes = asBranch({ ...body, outputs: kept }, [whole(s, round), yes, ...carried], b.fresh("round"));
    const same = kept.map((v, i) => ({ ...v, name: `kept ${i}`, raw: undefined }));
    const handsOn = { ...body, nodes: [], constants: new Map(), values: new Map(), inputs: same, outputs: same };
    const stays = asBranch(handsOn, [go, ...carried], b.fresh("stop"));
    const outputs = kept.map(() => b.fresh("loop"));
    appendIf(b, go, goes, stays, outputs);
    [go, ...carried] = outputs as [string, ...string[]];
  }
  return carried;
}

/** Whether the body hands its condition on, or says "go on" itself. */
function neverStops(s: Site, body: Graph): boolean {
  let name = body.outputs[0]!.name;
  for (let i = 0; i <= body.nodes.length; i++) {
    if (name === body.inputs[1]?.name) return true;
    const value = body.constants.get(name);
    if (value !== undefined) return Number(value.data[0]) !== 0;
    const maker = body.nodes.find((n) => n.outputs.includes(name));
    if (maker === undefined) return (s.numbers(name)?.[0] ?? 0) !== 0;
    if (maker.domain !== "" || (maker.op !== "Identity" && maker.op !== "Cast" && maker.op !== "Constant"))
      return false;
    if (maker.op === "Constant") {
      const a = maker.attributes["value"] ?? maker.attributes["value_int"];
      return a?.type === "tensor" ? Number(a.value.data[0]) !== 0 : a?.type === "int" && a.value !== 0n;
    }
    name = maker.inputs[0]!;
  }
  return false;
}

/** Unrolled, where the length of the scanned axes is known before the run. */
export const Scan: Decomposition = (s) => {
  const { b, node } = s;
  const body = bodyOf(s, "body");
  const scanned = getInt(node, "num_scan_inputs", 0);
  const states = node.inputs.length - scanned;
  if (scanned < 1 || states < 0)
    return refuse(s, `num_scan_inputs ${scanned} does not fit ${node.inputs.length} inputs`);
  const inAxes = getInts(node, "scan_input_axes") ?? upTo(scanned).map(() => 0);
  const inBack = getInts(node, "scan_input_directions") ?? upTo(scanned).map(() => 0);
  const scans = body.outputs.length - states;
  const outAxes = getInts(node, "scan_output_axes") ?? upTo(scans).map(() => 0);
  const outBack = getInts(node, "scan_output_directions") ?? upTo(scans).map(() => 0);
  const rounds = sizeAt(s, node.inputs[states]!, inAxes[0]!, "the length of the sequence");
  if (rounds === 0) return refuse(s, "a sequence of length 0");
  checkRounds(s, rounds, body);
  const slices = upTo(scanned).map((i) => {
    const parts = split(s, node.inputs[states + i]!, inAxes[i]!, rounds).map((p) => b.squeeze(p, [inAxes[i]!]));
    return inBack[i] === 1 ? parts.toReversed() : parts;
  });
  let carried = node.inputs.slice(0, states);
  const lists: string[][] = upTo(scans).map(() => []);
  for (let round = 0; round < rounds; round++) {
    const made = inline(b, body, [...carried, ...slices.map((parts) => parts[round]!)]);
    carried = made.slice(0, states);
    lists.forEach((list, i) => list.push(b.unsqueeze(made[states + i]!, [outAxes[i]!])));
  }
  const stacked = lists.map((list, i) =>
    b.op("Concat", outBack[i] === 1 ? list.toReversed() : list, { axis: int(outAxes[i]!) }),
  );
  return [...carried, ...stacked];
};

/** A value cut into `n` pieces of length 1 along an axis. */
export const split = ({ b }: Site, value: string, axis: number, n: number): string[] =>
  n === 1 ? [value] : b.opN("Split", [value, b.indices(upTo(n).map(() => 1))], n, { axis: int(axis) });
