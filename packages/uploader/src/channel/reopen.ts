/** A published object read back when the channel opens, by key. */
export interface ReadBack {
  key: string;
  text: string;
}
