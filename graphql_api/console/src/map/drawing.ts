/** Something drawn on a map, which shows what it is given until it is removed. */
export interface Drawing<Shown> {
  show(shown: Shown): void;
  remove(): void;
}
