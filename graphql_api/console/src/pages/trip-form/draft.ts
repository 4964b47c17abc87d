import type { Option } from '@/components/Choice.svelte';
import { today } from '@/format';
import type { LawfulPlaceKind, PlanInput, TransportMode } from '@/generated/tenant';
import type {
  PlannedFlightFragment,
  PlannedLegFragment,
  PlannedPlaceFragment,
} from './trip-form.generated';

export interface Lodging extends Option {
  /** Latitude and longitude as maps write them: -0.5022, 117.1536. */
  position: string;
}
export interface Leg {
  key: number;
  region: Option | null;
  arriveOn: string;
  departOn: string;
  transport: TransportMode;
  lodging: Lodging | null;
  position: string;
}
export interface Airport extends Option {
  zone: string;
}
export interface KnownFlight extends Option {
  known?: PlannedFlightFragment;
}
export interface Flight {
  key: number;
  number: KnownFlight | null;
  origin: Airport | null;
  destination: Airport | null;
  /** Local times of the airports: 2026-11-26T08:30. */
  departsAt: string;
  arrivesAt: string;
}
export interface Place {
  key: number;
  region: Option | null;
  kind: LawfulPlaceKind;
  fromOn: string;
  untilOn: string;
}
export interface Traveller extends Option {
  spd: string;
}
export interface Draft {
  number: string;
  dated: string;
  purpose: string;
  signer: Option | null;
  travellers: Traveller[];
  legs: Leg[];
  transit: Option[];
  flights: Flight[];
  places: Place[];
  /** Empty where the trip begins when it arrives, and ends when it departs. */
  startsOn: string;
  endsOn: string;
}

let keys = 0;
/** A key for a row that no other has, also among those of a draft that was kept. */
export const key = (): number => Date.now() * 1000 + keys++;

export const leg = (from: string): Leg => ({
  ...{ key: key(), region: null, arriveOn: from, departOn: from, transport: 'ROAD' },
  ...{ lodging: null, position: '' },
});

export const emptyDraft = (number: string, signer: Option | null): Draft => ({
  ...{ number, dated: today(), purpose: '', signer },
  ...{ travellers: [], legs: [leg(today())], transit: [], flights: [], places: [] },
  ...{ startsOn: '', endsOn: '' },
});

/** The number after this one: its last run of digits that is no year, counted on. */
export function nextNumber(number: string): string {
  const runs = [...number.matchAll(/\d+/g)].filter(([run]) => !/^(19|20)\d\d$/.test(run));
  const last = runs.at(-1);
  if (!last) return number;
  const counted = String(BigInt(last[0]) + 1n).padStart(last[0].length, '0');
  return number.slice(0, last.index) + counted + number.slice(last.index + last[0].length);
}

export const later = (date: string, days: number): string =>
  new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);

export const daysBetween = (from: string, until: string): number =>
  Math.round((Date.parse(until) - Date.parse(from)) / 86_400_000);

/** A time as the clocks of a zone have it: 2026-11-26T08:30. */
export const wallClock = (iso: string, zone: string): string =>
  new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'short', timeZone: zone })
    .format(new Date(iso))
    .replace(' ', 'T');

/** The time at which the clocks of a zone show this. */
export function instant(local: string, zone: string): string {
  const asUtc = Date.parse(`${local}:00Z`);
  const ahead = Date.parse(`${wallClock(new Date(asUtc).toISOString(), zone)}:00Z`) - asUtc;
  return new Date(asUtc - ahead).toISOString();
}

export const positionOf = (lat: number | null, lon: number | null): string =>
  lat === null || lon === null ? '' : `${lat}, ${lon}`;

/** What is written as two numbers, latitude first; undefined when it is no position. */
export function position(text: string): { lat: number; lon: number } | undefined {
  const [lat, lon, ...more] = text
    .trim()
    .split(/[\s,;]+/)
    .map(Number);
  if (lat === undefined || lon === undefined || more.length) return undefined;
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? { lat, lon } : undefined;
}

export interface Kept {
  startsOn: string;
  endsOn: string;
  transit: string[];
  legs: PlannedLegFragment[];
  flights: PlannedFlightFragment[];
  lawfulPlaces: PlannedPlaceFragment[];
}
type Named<Kind> = (code: string) => Kind;

/** A kept plan, so many days later, as the form has it. */
export function rows(plan: Kept, days: number, region: Named<Option>, airport: Named<Airport>) {
  const first = plan.legs[0]?.arriveOn ?? plan.startsOn;
  const last = plan.legs.at(-1)?.departOn ?? plan.endsOn;
  const moved = (iso: string, zone: string): string => {
    const [date = '', clock = ''] = wallClock(iso, zone).split('T');
    return `${later(date, days)}T${clock}`;
  };
  return {
    startsOn: plan.startsOn === first ? '' : later(plan.startsOn, days),
    endsOn: plan.endsOn === last ? '' : later(plan.endsOn, days),
    transit: plan.transit.map(region),
    legs: plan.legs.map(
      ({ regionCode, arriveOn, departOn, transport, lodgingName, lodgingLon, lodgingLat }): Leg => {
        const position = positionOf(lodgingLat, lodgingLon);
        return {
          ...{ key: key(), region: region(regionCode), transport, position },
          ...{ arriveOn: later(arriveOn, days), departOn: later(departOn, days) },
          lodging: lodgingName ? { value: lodgingName, text: lodgingName, position } : null,
        };
      },
    ),
    flights: plan.flights.map(({ number, origin, destination, departsAt, arrivesAt }): Flight => {
      const [from, to] = [airport(origin), airport(destination)];
      return {
        ...{ key: key(), number: { value: number, text: number }, origin: from, destination: to },
        ...{ departsAt: moved(departsAt, from.zone), arrivesAt: moved(arrivesAt, to.zone) },
      };
    }),
    places: plan.lawfulPlaces.map(
      ({ regionCode, kind, fromOn, untilOn }): Place => ({
        ...{ key: key(), region: region(regionCode), kind },
        ...{ fromOn: later(fromOn, days), untilOn: later(untilOn, days) },
      }),
    ),
  };
}

/** The plan as the service takes it. */
export function planOf(draft: Draft): PlanInput {
  const arrivals = draft.legs.map(({ arriveOn }) => arriveOn).sort();
  const departures = draft.legs.map(({ departOn }) => departOn).sort();
  return {
    startsOn: draft.startsOn || (arrivals[0] ?? draft.dated),
    endsOn: draft.endsOn || (departures.at(-1) ?? draft.dated),
    legs: draft.legs.map(
      ({ region, arriveOn, departOn, transport, lodging, position: written }) => {
        const at = position(written);
        return {
          ...{ region: region?.value ?? '', arriveOn, departOn, transport },
          lodgingName: lodging?.text.trim() || null,
          lodgingLon: at?.lon ?? null,
          lodgingLat: at?.lat ?? null,
        };
      },
    ),
    transit: draft.transit.map(({ value }) => value),
    flights: draft.flights.map(({ number, origin, destination, departsAt, arrivesAt }) => ({
      number: number?.text.trim() ?? '',
      origin: origin?.value ?? '',
      destination: destination?.value ?? '',
      departsAt: instant(departsAt, origin?.zone ?? 'UTC'),
      arrivesAt: instant(arrivesAt, destination?.zone ?? 'UTC'),
    })),
    lawfulPlaces: draft.places.map(({ region, kind, fromOn, untilOn }) => ({
      ...{ region: region?.value ?? '', kind, fromOn, untilOn },
    })),
  };
}
