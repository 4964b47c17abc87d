import { realm } from '@/realm';
import type { TrackFeature } from '@/track';
import type { CaseQuery } from './case.generated';

export type CaseTrip = NonNullable<CaseQuery['trip']>;
export type CaseDay = CaseTrip['timeline'][number];
export type Silence = CaseDay['unknown'][number];

/** How a place stands to the plan. */
export type Where = 'planned' | 'home' | 'lawful' | 'elsewhere';

export interface Span {
  where: Where;
  regionCode: string | null;
  startedAt: string;
  endedAt: string;
}

/** Where she was on a day; off the map she is on her way. */
export function seenOn(trip: CaseTrip, day: CaseDay): Span[] {
  const lawful = new Set(trip.transit);
  for (const place of trip.lawfulPlaces) {
    if (place.fromOn <= day.date && day.date <= place.untilOn) lawful.add(place.regionCode);
  }
  const where = (code: string | null): Where => {
    if (code === null || lawful.has(code)) return 'lawful';
    if (day.planned.includes(code)) return 'planned';
    return code === realm.code ? 'home' : 'elsewhere';
  };
  return day.seen.map((seen) => ({ ...seen, where: where(seen.regionCode) }));
}

/** The zone in which a day of the plan is spent. */
export const zoneOf = (trip: CaseTrip, day: CaseDay): string =>
  trip.legs.find((leg) => leg.arriveOn <= day.date && day.date <= leg.departOn)?.zone ?? realm.zone;

/** When a local date begins, in milliseconds since 1970. */
export function midnight(date: string, zone: string): number {
  const noon = Date.parse(`${date}T12:00:00Z`);
  const there = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'medium',
  }).format(noon);
  const ahead = Date.parse(`${there.replace(' ', 'T')}Z`) - noon;
  return Date.parse(`${date}T00:00:00Z`) - ahead;
}

export interface Bounds {
  date: string;
  from: number;
  until: number;
}

export function boundsOf(trip: CaseTrip): Bounds[] {
  return trip.timeline.map((day) => {
    const from = midnight(day.date, zoneOf(trip, day));
    return { date: day.date, from, until: from + 86_400_000 };
  });
}

export interface Fix {
  at: [number, number];
  /** Milliseconds since 1970. */
  time: number;
  accuracy: number | null;
  where: Where;
  date: string;
}

/** The track as lines of fixes, cut where the phone was silent; each knows its day and place. */
export function linesOf(trip: CaseTrip, track: TrackFeature): Fix[][] {
  const bounds = boundsOf(trip);
  const spans = trip.timeline
    .flatMap((day) => seenOn(trip, day))
    .map((span) => ({
      ...span,
      from: Date.parse(span.startedAt),
      until: Date.parse(span.endedAt),
    }));
  const { times, accuracies } = track.properties;
  return track.geometry.coordinates.map((line, number) =>
    line.map((at, position) => {
      const time = (times[number]?.[position] ?? 0) * 1000;
      return {
        at,
        time,
        accuracy: accuracies[number]?.[position] ?? null,
        where: spans.find(({ from, until }) => from <= time && time <= until)?.where ?? 'lawful',
        date: bounds.find(({ from, until }) => from <= time && time < until)?.date ?? '',
      };
    }),
  );
}

/** Times without a track, each once though midnight cuts it. */
export function silencesOf(trip: CaseTrip): Silence[] {
  const found: Silence[] = [];
  for (const silence of trip.timeline.flatMap((day) => day.unknown)) {
    const last = found.at(-1);
    if (last && last.endedAt === silence.startedAt && last.reason === silence.reason) {
      found[found.length - 1] = { ...last, endedAt: silence.endedAt };
    } else found.push(silence);
  }
  return found;
}
