import { realm } from '@/realm';
import { mine } from './mine.svelte';
import { outbox } from './outbox.svelte';
import { keep, kept, WANTED } from './shelf';

/**
 * off: not asked for; outside: no assignment now; paused; starting: no position yet; recording;
 * denied: the browser may not; lost: no position is to be had; elsewhere: another page records.
 */
export type Recording =
  | 'off'
  | 'outside'
  | 'paused'
  | 'starting'
  | 'recording'
  | 'denied'
  | 'lost'
  | 'elsewhere';

const CHECK = 1_000;
const APART = 60_000;
const METRES = 75;
/** A phone at rest says so at least this often. */
const HEARTBEAT = 300_000;
const SOON = 5_000;
const FRESH: PositionOptions = { enableHighAccuracy: true, maximumAge: 0 };
const LAST = 'last recorded';

interface Kept {
  at: number;
  lon: number;
  lat: number;
}

/** Metres between near places. */
function distance(a: Kept, b: Kept): number {
  const degree = 111_195;
  const east = (a.lon - b.lon) * Math.cos((a.lat * Math.PI) / 180);
  return degree * Math.hypot(east, a.lat - b.lat);
}

/** Records where this page's phone is: while it is open, within the assignment, not in a pause. */
class Recorder {
  status = $state<Recording>('off');
  last = $state.raw<Kept>();
  #member: string | undefined;
  #watch: number | undefined;
  #awake: WakeLockSentinel | undefined;
  #release: (() => void) | undefined;
  #deniedAt: number | undefined;
  #askedAt = 0;

  get #patience(): number {
    return this.status === 'recording' ? HEARTBEAT : SOON;
  }

  get wanted(): boolean {
    return this.status !== 'off';
  }

  async open(member: string): Promise<void> {
    if (this.#member) return;
    this.#member = member;
    document.addEventListener('visibilitychange', () => void this.#stayAwake());
    this.last = await kept<Kept>(LAST).catch(() => undefined);
    setInterval(() => this.#check(), CHECK);
    if (localStorage.getItem(WANTED) === member) this.start();
  }

  start(): void {
    if (!this.#member || this.wanted) return;
    localStorage.setItem(WANTED, this.#member);
    this.status = 'elsewhere';
    // Of several pages one records.
    void navigator.locks.request(
      `jejak-${realm.slug}-record`,
      () =>
        new Promise<void>((resolve) => {
          if (!this.wanted) {
            resolve();
            return;
          }
          this.#release = resolve;
          this.status = 'starting';
          this.#check();
        }),
    );
  }

  stop(): void {
    localStorage.removeItem(WANTED);
    this.#rest('off');
    this.#release?.();
    this.#release = undefined;
  }

  /** Watch while there is something to watch for: outside of it nobody is tracked. */
  #check(): void {
    if (!this.#release) return;
    mine.now = Date.now();
    if (!mine.trip) this.#rest('outside');
    else if (mine.pause) this.#rest('paused');
    else if (this.#watch === undefined) {
      if (this.status !== 'denied') this.status = 'starting';
      this.#watch = navigator.geolocation.watchPosition(
        (position) => void this.#take(position),
        (error) => this.#miss(error),
        FRESH,
      );
      this.#askedAt = mine.now;
      void this.#stayAwake();
    } else if (mine.now - Math.max(this.last?.at ?? 0, this.#askedAt) > this.#patience) {
      this.#askedAt = mine.now;
      navigator.geolocation.getCurrentPosition(
        (position) => void this.#take(position),
        () => {},
        FRESH,
      );
    }
  }

  #rest(status: Recording): void {
    if (this.#watch !== undefined) navigator.geolocation.clearWatch(this.#watch);
    this.#watch = undefined;
    this.status = status;
    void this.#awake?.release();
    this.#awake = undefined;
  }

  async #take({ timestamp, coords }: GeolocationPosition): Promise<void> {
    // A page that slept may hear of a position from before the pause, or after the end.
    const at = Math.min(timestamp, Date.now());
    mine.now = Date.now();
    const { trip } = mine;
    if (!this.#release || !trip || !mine.tracks(at)) return;
    this.status = 'recording';
    if (this.#deniedAt !== undefined) {
      const [startedAt, endedAt] = [this.#deniedAt, at].map((time) => new Date(time).toISOString());
      this.#deniedAt = undefined;
      if (startedAt && endedAt && startedAt < endedAt) {
        await outbox.add(trip.id, { silence: { startedAt, endedAt, reason: 'NO_PERMISSION' } });
      }
    }
    const here = { at, lon: coords.longitude, lat: coords.latitude };
    const { last } = this;
    if (last && (at <= last.at || (at - last.at < APART && distance(here, last) < METRES))) return;
    this.last = here;
    await keep(LAST, here);
    await outbox.add(trip.id, {
      fix: {
        time: new Date(at).toISOString(),
        lon: here.lon,
        lat: here.lat,
        accuracy: coords.accuracy,
        speed: coords.speed,
      },
    });
  }

  #miss(error: GeolocationPositionError): void {
    if (error.code !== error.PERMISSION_DENIED) {
      this.status = 'lost';
      return;
    }
    this.#deniedAt ??= Date.now();
    // A watch that was denied never speaks again: another is tried at the next check.
    this.#rest('denied');
  }

  /** A dark screen stops most browsers' positions. */
  async #stayAwake(): Promise<void> {
    if (this.#watch === undefined || document.hidden || !('wakeLock' in navigator)) return;
    this.#awake = await navigator.wakeLock.request('screen').catch(() => undefined);
  }
}

export const recorder = new Recorder();
