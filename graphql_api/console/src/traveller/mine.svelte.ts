import { ask, Trouble } from '@/api.svelte';
import { midnight } from '@/pages/case/spans';
import { realm } from '@/realm';
import { keep, kept } from './shelf';
import {
  MineDocument,
  type MineQuery,
  type OwnTripFragment,
  UnderwayDocument,
  type UnderwayQuery,
} from './traveller.generated';

export type OwnTrip = OwnTripFragment;

/** What the service last said of the traveller's own affairs. */
interface Said {
  member: string;
  /** When, in milliseconds since 1970. */
  at: number;
  trips: readonly OwnTrip[];
  devices: MineQuery['devices'];
  pauses: UnderwayQuery['pauses'];
  lastFixAt: string | null;
}

const EACH = 60_000;

/** From when to when a trip's traveller is tracked, but for pauses: milliseconds since 1970. */
export function windowOf(trip: OwnTrip): { from: number; until: number } {
  const next = new Date(`${trip.endsOn}T00:00:00Z`);
  next.setUTCDate(next.getUTCDate() + 1);
  const end = midnight(next.toISOString().slice(0, 10), realm.zone);
  const finished = trip.finishedAt === null ? end : Date.parse(trip.finishedAt);
  return { from: midnight(trip.startsOn, realm.zone), until: Math.min(end, finished) };
}

const underway = (trips: readonly OwnTrip[], now: number): OwnTrip | undefined =>
  trips.find((trip) => {
    const { from, until } = windowOf(trip);
    return trip.state !== 'CANCELLED' && from <= now && now < until;
  });

/** The traveller's own affairs: asked again each minute, and when she comes back to the page. */
class Mine {
  said = $state.raw<Said>();
  trouble = $state.raw<Trouble>();
  now = $state(Date.now());
  #member: string | undefined;

  /** The trip whose window is open now. */
  get trip(): OwnTrip | undefined {
    return underway(this.said?.trips ?? [], this.now);
  }

  get pause(): Said['pauses'][number] | undefined {
    return this.said?.pauses.find(
      ({ startedAt, endsAt }) => Date.parse(startedAt) <= this.now && this.now < Date.parse(endsAt),
    );
  }

  /** Whether she is tracked at a time: within the assignment of now, and in none of its pauses. */
  tracks(at: number): boolean {
    const { trip } = this;
    const window = trip && windowOf(trip);
    const paused = this.said?.pauses.some(
      ({ startedAt, endsAt }) => Date.parse(startedAt) <= at && at < Date.parse(endsAt),
    );
    return window !== undefined && window.from <= at && at < window.until && !paused;
  }

  /** No network, or no service behind it: what is shown may be old. */
  get offline(): boolean {
    return this.trouble?.code === 'UNREACHABLE';
  }

  follow(member: string): void {
    if (this.#member) return;
    this.#member = member;
    const look = () => void this.look();
    setInterval(() => document.hidden || look(), EACH);
    setInterval(() => {
      this.now = Date.now();
    }, 5_000);
    addEventListener('online', look);
    document.addEventListener('visibilitychange', () => document.hidden || look());
    look();
  }

  async look(): Promise<void> {
    const member = this.#member;
    if (!member) return;
    try {
      const { trips, devices } = await ask(MineDocument, { me: member });
      const current = underway(trips.nodes, Date.now());
      const more = current && (await ask(UnderwayDocument, { trip: current.id }));
      this.now = Date.now();
      this.said = {
        member,
        at: this.now,
        trips: trips.nodes,
        devices,
        pauses: more?.pauses ?? [],
        lastFixAt: more?.trip?.track?.endedAt ?? null,
      };
      this.trouble = undefined;
      await keep('mine', this.said).catch(() => {});
    } catch (met) {
      if (!(met instanceof Trouble)) throw met;
      this.trouble = met;
      const before = await kept<Said>('mine').catch(() => undefined);
      if (before?.member === member) this.said ??= before;
    }
  }
}

export const mine = new Mine();
