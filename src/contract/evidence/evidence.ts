/**
 * What every evidence file says. One probe run on one subject gives one file `<id>.json` (and perhaps `<id>.npz` with raw
 * tensors). Its id is a hash of everything that decides its content, so that evidence on disk is not computed again.
 */
export interface EvidenceBase {
  readonly schema: 1;
  readonly id: string;
  readonly kind: string;
  /** Id of the probe that made it. */
  readonly probe: string;
  readonly subject: string;
  readonly seed: number;
  readonly options: Readonly<Record<string, unknown>>;
  readonly seconds: number;
  readonly queries: number;
  readonly gradients: number;
}
