import { ask, listen, Trouble } from '@/api.svelte';
import type { Outcome } from '@/generated/tenant';
import { MovesDocument, PresentDocument } from './live.generated';

export interface Traveller {
  tripId: string;
  name: string;
  outcome: Outcome | null;
  lon: number;
  lat: number;
  accuracy: number | null;
  at: string;
}

const byName = new Intl.Collator('id').compare;
const BATCH = 250;
const AGAIN = 5_000;
/** Somebody unknown may stay so: more may move than the service lists. */
const STRANGER = 10_000;
/** Nobody says who has come home, nor what the verdicts are by now. */
const ANEW = 60_000;

/** Those who are on assignment now, and where; it follows them until it is closed. */
export class Crowd {
  /** By name; a new list whenever somebody moved, a few times a second at most. */
  travellers = $state.raw<readonly Traveller[]>([]);
  trouble = $state.raw<Trouble>();
  known = $state(false);

  #office: string | null;
  #moved = new Map<string, Pick<Traveller, 'lon' | 'lat' | 'accuracy' | 'at'>>();
  #timers = new Set<ReturnType<typeof setTimeout>>();
  #stop: () => void = () => {};
  #closed = false;
  #asking = false;
  #asked = 0;
  #anew = setInterval(() => this.look(), ANEW);

  constructor(office: string | null) {
    this.#office = office;
    this.look();
    this.#follow();
  }

  close(): void {
    this.#closed = true;
    this.#stop();
    clearInterval(this.#anew);
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #later(what: () => void, milliseconds: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      what();
    }, milliseconds);
    this.#timers.add(timer);
  }

  /** Who is there, by name: at first, and when somebody unknown moves. */
  async look(): Promise<void> {
    if (this.#asking || this.#closed) return;
    this.#asking = true;
    this.#asked = Date.now();
    try {
      const { livePositions } = await ask(PresentDocument, { office: this.#office });
      if (this.#closed) return;
      const before = new Map(this.travellers.map((each) => [each.tripId, each]));
      this.travellers = livePositions
        .map(({ trip, traveller, lon, lat, accuracy, at }) => {
          const seen = { lon, lat, accuracy, at };
          const known = before.get(trip.id);
          const { name } = traveller;
          const outcome = trip.verdict?.outcome ?? null;
          const newest = known && known.at > at ? known : seen;
          return { ...newest, tripId: trip.id, name, outcome };
        })
        .sort((one, other) => byName(one.name, other.name));
      this.trouble = undefined;
      this.known = true;
    } catch (met) {
      if (!(met instanceof Trouble)) throw met;
      this.trouble = met;
      if (met.code === 'NOT_SIGNED_IN') this.close();
      else if (!this.#closed) this.#later(() => this.look(), AGAIN);
    } finally {
      this.#asking = false;
    }
  }

  #follow(): void {
    this.#stop = listen(
      MovesDocument,
      { office: this.#office },
      ({ positions: { trip, lon, lat, accuracy, at } }) => {
        if (this.#moved.size === 0) this.#later(() => this.#move(), BATCH);
        this.#moved.set(trip.id, { lon, lat, accuracy, at });
      },
      // Too slow, or signed out: begin again with the present.
      () => {
        if (this.#closed) return;
        this.#later(() => {
          this.#stop();
          this.#follow();
          this.look();
        }, AGAIN);
      },
    );
  }

  #move(): void {
    const moved = this.#moved;
    this.#moved = new Map();
    this.travellers = this.travellers.map((known) => {
      const seen = moved.get(known.tripId);
      moved.delete(known.tripId);
      return seen && known.at < seen.at ? { ...known, ...seen } : known;
    });
    if (moved.size && Date.now() - this.#asked > STRANGER) this.look();
  }
}
