/** A priority queue, the cheapest first; equal costs in the order in which they came. */
export class CostQueue<T> {
  private readonly heap: { readonly value: T; readonly cost: number; readonly turn: number }[] = [];
  private readonly costOf: (value: T) => number;
  private turn = 0;

  constructor(costOf: (value: T) => number) {
    this.costOf = costOf;
  }

  get size(): number {
    return this.heap.length;
  }

  peek(): T | undefined {
    return this.heap[0]?.value;
  }

  push(value: T): void {
    const { heap } = this;
    heap.push({ value, cost: this.costOf(value), turn: this.turn++ });
    for (let i = heap.length - 1; i > 0;) {
      const up = (i - 1) >> 1;
      if (!this.before(i, up)) return;
      this.swap(i, up);
      i = up;
    }
  }

  pop(): T | undefined {
    const { heap } = this;
    const top = heap[0]?.value;
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return top;
    heap[0] = last;
    for (let i = 0; ;) {
      let low = i;
      for (const child of [2 * i + 1, 2 * i + 2]) if (child < heap.length && this.before(child, low)) low = child;
      if (low === i) return top;
      this.swap(i, low);
      i = low;
    }
  }

  private before(i: number, j: number): boolean {
    const [a, b] = [this.heap[i]!, this.heap[j]!];
    return a.cost < b.cost || (a.cost === b.cost && a.turn < b.turn);
  }

  private swap(i: number, j: number): void {
    [this.heap[i], this.heap[j]] = [this.heap[j]!, this.heap[i]!];
  }
}
