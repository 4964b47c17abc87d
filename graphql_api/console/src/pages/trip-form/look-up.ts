import { ask } from '@/api.svelte';
import type { Option } from '@/components/Choice.svelte';
import type { Role } from '@/generated/tenant';
import { realm } from '@/realm';
import { type Airport, type KnownFlight, type Lodging, positionOf } from './draft';
import {
  FormAirportsDocument,
  FormFlightsDocument,
  FormLodgingsDocument,
  PeopleDocument,
  PlacesDocument,
} from './trip-form.generated';
import { t } from './words';

export async function people(search: string, role: Role | null = null): Promise<Option[]> {
  const { members } = await ask(PeopleDocument, { search, role });
  return members.nodes.map(({ id, name, position }) => ({ value: id, text: name, hint: position }));
}

let asked: Promise<{ code: string; name: string }[]> | undefined;
/** All regions, asked for once. */
export const regions = (): Promise<{ code: string; name: string }[]> => {
  asked ??= ask(PlacesDocument, {}).then((answer) => answer.regions);
  asked.catch(() => {
    asked = undefined;
  });
  return asked;
};

/** Where one may be sent, or pass through: everywhere but home. */
export async function places(search: string): Promise<Option[]> {
  const words = search.toLowerCase();
  return (await regions())
    .filter(({ code, name }) => code !== realm.code && name.toLowerCase().includes(words))
    .map(({ code, name }) => ({ value: code, text: name, hint: code }));
}

export async function lodgings(region: string | undefined, search: string): Promise<Lodging[]> {
  if (region === undefined) return [];
  const found = await ask(FormLodgingsDocument, { region, search });
  return found.lodgings.map(({ name, lon, lat, trips }) => ({
    ...{ value: `${name} ${lon} ${lat}`, text: name, position: positionOf(lat, lon) },
    hint: t().usedBefore(trips),
  }));
}

export async function airports(search: string): Promise<Airport[]> {
  const found = await ask(FormAirportsDocument, { search });
  return found.airports.map(({ iata, name, city, zone }) => ({
    ...{ value: iata, text: `${iata} ${city}`, hint: name, zone },
  }));
}

/** Airports by their codes, each as `airports` gives it. */
export async function airportsOf(codes: string[]): Promise<Map<string, Airport>> {
  const found = await Promise.all([...new Set(codes)].map(airports));
  return new Map(found.flat().map((airport) => [airport.value, airport]));
}

export async function flights(search: string): Promise<KnownFlight[]> {
  const found = await ask(FormFlightsDocument, { search });
  return found.knownFlights.map((known) => ({
    ...{ value: `${known.number} ${known.origin}`, text: known.number, known },
    hint: `${known.origin}–${known.destination}`,
  }));
}
