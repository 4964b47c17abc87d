import { change, Trouble } from '@/api.svelte';
import type { FixInput, PositionInput, SilenceInput } from '@/generated/tenant';
import { realm } from '@/realm';
import { add, count, drop, type Owned, oldest } from './shelf';
import { CheckInDocument, RecordTrackDocument } from './traveller.generated';

export type Fix = Pick<FixInput, 'time' | 'lon' | 'lat' | 'accuracy' | 'speed'>;
type Recorded = Owned & ({ fix: Fix } | { silence: SilenceInput });
export type CheckIn = Owned & { position: PositionInput; at: string; photo: string | null };

const MOST = 1_000;
const SOON = 2_000;
const LATEST = 300_000;

/** What waits to be sent: it leaves the shelf when the service has acknowledged it. */
class Outbox {
  fixes = $state(0);
  checkIns = $state(0);
  /** The time of the newest fix that the service has acknowledged since this page was opened. */
  acknowledged = $state<string | null>(null);
  /** Why something was refused for good, as the service said it. */
  refused = $state.raw<{ message: string; messageEn: string }>();
  trouble = $state.raw<Trouble>();
  #member: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tries = 0;
  #sending = false;
  #more = false;

  open(member: string): void {
    if (this.#member) return;
    this.#member = member;
    addEventListener('online', () => this.send());
    void this.#count().then(() => this.send());
  }

  async add(trip: string, said: { fix: Fix } | { silence: SilenceInput }): Promise<void> {
    if (!this.#member) return;
    await add('fixes', { member: this.#member, trip, ...said } as Recorded);
    await this.#count();
    if (this.#tries === 0) this.send();
  }

  async checkIn(said: Omit<CheckIn, 'member'>): Promise<void> {
    if (!this.#member) return;
    await add('checkIns', { member: this.#member, ...said } as CheckIn);
    await this.#count();
    this.send();
  }

  /** Send all that waits; what cannot be sent now is tried again, later and later. */
  send(): void {
    clearTimeout(this.#timer);
    if (this.#sending) {
      this.#more = true;
      return;
    }
    this.#sending = true;
    this.#more = false;
    // Of several pages one sends: they share the shelf.
    navigator.locks
      .request(`jejak-${realm.slug}-send`, () => this.#empty())
      .then(
        () => {
          this.#tries = 0;
          this.trouble = undefined;
        },
        (met: unknown) => {
          this.trouble = met instanceof Trouble ? met : undefined;
          const wait = Math.min(LATEST, SOON * 2 ** this.#tries) * (0.75 + Math.random() / 2);
          this.#tries += 1;
          this.#timer = setTimeout(() => this.send(), wait);
        },
      )
      .finally(async () => {
        this.#sending = false;
        await this.#count();
        if (this.#more && !this.trouble) this.send();
      });
  }

  async #count(): Promise<void> {
    if (!this.#member) return;
    this.fixes = await count('fixes', this.#member);
    this.checkIns = await count('checkIns', this.#member);
  }

  async #empty(): Promise<void> {
    const member = this.#member ?? '';
    for (;;) {
      const waiting = await oldest<Recorded>('fixes', member, MOST);
      const [first] = waiting;
      if (!first) break;
      await this.#sendTrack(waiting.filter(({ value }) => value.trip === first.value.trip));
    }
    for (;;) {
      const [waiting] = await oldest<CheckIn>('checkIns', member, 1);
      if (!waiting) break;
      const { trip, position, at, photo } = waiting.value;
      const { checkIn } = await change(CheckInDocument, { trip, position, at, photo });
      if (checkIn.__typename !== 'CheckIn') this.refused = checkIn;
      await drop('checkIns', [waiting.key]);
    }
  }

  /** Of one trip; what the service can never take does not hold up the rest. */
  async #sendTrack(part: readonly { key: IDBValidKey; value: Recorded }[]): Promise<void> {
    const silent = part.filter(({ value }) => 'silence' in value).slice(0, 100);
    const fixed = part.filter(({ value }) => 'fix' in value);
    const { recordTrack } = await change(RecordTrackDocument, {
      trip: part[0]?.value.trip ?? '',
      fixes: fixed.flatMap(({ value }) => ('fix' in value ? [value.fix] : [])),
      silences: silent.flatMap(({ value }) => ('silence' in value ? [value.silence] : [])),
    });
    let done = [...fixed, ...silent];
    if (recordTrack.__typename !== 'TrackReceipt') {
      this.refused = recordTrack;
      if (recordTrack.__typename === 'InvalidFix')
        done = fixed.slice(recordTrack.index).slice(0, 1);
      else if (recordTrack.__typename === 'InvalidInput' && silent.length) done = silent;
    } else {
      const times = fixed.flatMap(({ value }) => ('fix' in value ? [value.fix.time] : []));
      this.acknowledged = times.at(-1) ?? this.acknowledged;
    }
    await drop(
      'fixes',
      done.map(({ key }) => key),
    );
    this.#tries = 0;
    await this.#count();
  }
}

export const outbox = new Outbox();
