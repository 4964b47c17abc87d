import type { Feature } from 'geojson';
import {
  type Map as Chart,
  type ExpressionSpecification,
  type GeoJSONSource,
  LngLatBounds,
  type Marker,
} from 'maplibre-gl';
import { t } from '@/language/language.svelte';
import { chart, pin } from '@/map/chart';
import type { Drawing } from '@/map/drawing';
import { outlines } from '@/map/outlines';
import { COLOURS } from './colours';
import type { CaseTrip, Fix, Where } from './spans';

export interface Shown {
  trip: CaseTrip;
  lines: Fix[][];
  /** The day to look at; null is the whole trip. */
  date: string | null;
  /** The moment to look at, in milliseconds since 1970, if she was seen then. */
  here: Fix | undefined;
}

const METRES_A_PIXEL = 78_271.5;
const NOTHING = { type: 'FeatureCollection' as const, features: [] };
const WHERE = Object.keys(COLOURS) as Where[];

/** Plan and track of one trip; colours and strokes say how each stretch stands to the plan. */
export function draw(box: HTMLElement, version?: number): Drawing<Shown> {
  const map = chart(box, version);
  const loaded = new Promise<void>((resolve) => {
    map.once('load', () => {
      addLayers(map);
      resolve();
    });
  });
  const here = pin('', 'here');
  let lodgings: Marker[] = [];
  let before: Shown | undefined;

  async function show(shown: Shown): Promise<void> {
    await loaded;
    const { trip, lines, date } = shown;
    if (before?.trip !== trip) {
      for (const marker of lodgings) marker.remove();
      lodgings = lodgingsOf(trip).map((marker) => marker.addTo(map));
      map.setFilter('destinations', ['in', ['get', 'code'], ['literal', codesOf(trip)]]);
    }
    if (before?.lines !== lines || before.trip !== trip) fill(map, lines);
    if (before?.date !== date) {
      const dim: ExpressionSpecification = ['case', ['==', ['get', 'date'], date ?? ''], 1, 0.2];
      for (const where of WHERE) {
        map.setPaintProperty(where, 'line-opacity', date === null ? 1 : dim);
        map.setPaintProperty(`${where} fixes`, 'circle-opacity', date === null ? 1 : dim);
      }
    }
    if (before?.date !== date || before.lines !== lines) look(map, shown);
    if (shown.here) here.setLngLat(shown.here.at).addTo(map);
    else here.remove();
    before = shown;
  }

  return { show: (shown) => void show(shown), remove: () => map.remove() };
}

function addLayers(map: Chart): void {
  map.addLayer(
    {
      id: 'destinations',
      type: 'fill',
      source: 'regions',
      filter: ['boolean', false],
      paint: { 'fill-color': '#cfe6d4' },
    },
    'borders',
  );
  for (const name of ['track', 'fixes', 'ends']) {
    map.addSource(name, { type: 'geojson', data: NOTHING });
  }
  map.addLayer({
    id: 'accuracy',
    type: 'circle',
    source: 'fixes',
    filter: ['!=', ['get', 'accuracy'], null],
    paint: {
      'circle-color': '#0b4a7a',
      'circle-opacity': 0.12,
      'circle-radius': [
        'interpolate',
        ['exponential', 2],
        ['zoom'],
        0,
        ['/', ['get', 'accuracy'], METRES_A_PIXEL],
        22,
        ['*', ['get', 'accuracy'], 2 ** 22 / METRES_A_PIXEL],
      ],
    },
  });
  for (const where of WHERE) {
    const { colour, dash, width } = COLOURS[where];
    map.addLayer({
      id: where,
      type: 'line',
      source: 'track',
      filter: ['==', ['get', 'where'], where],
      layout: { 'line-join': 'round' },
      paint: {
        'line-color': colour,
        'line-width': width,
        ...(dash ? { 'line-dasharray': dash } : {}),
      },
    });
    // A stay is a line of no length: its fixes are what can be seen of it.
    map.addLayer({
      id: `${where} fixes`,
      type: 'circle',
      source: 'fixes',
      filter: ['==', ['get', 'where'], where],
      paint: { 'circle-color': colour, 'circle-radius': width / 2 + 2 },
    });
  }
  map.addLayer({
    id: 'ends',
    type: 'circle',
    source: 'ends',
    paint: {
      'circle-radius': 8,
      'circle-opacity': 0,
      'circle-stroke-width': 2,
      'circle-stroke-color': '#1b2733',
    },
  });
}

function fill(map: Chart, lines: Fix[][]): void {
  const put = (name: string, features: Feature[]) =>
    map.getSource<GeoJSONSource>(name)?.setData({ type: 'FeatureCollection', features });
  const point = ({ at, accuracy, date, where }: Fix): Feature => ({
    type: 'Feature',
    properties: { accuracy, date, where },
    geometry: { type: 'Point', coordinates: at },
  });
  put('track', lines.flatMap(stretches));
  put('fixes', lines.flat().map(point));
  // Every end but the first and the last is the edge of a gap.
  const ends = lines.flatMap((line) => [line[0], line.at(-1)]).slice(1, -1);
  put('ends', ends.filter((fix) => fix !== undefined).map(point));
}

/** A line cut wherever the day or the standing to the plan changes. */
function stretches(line: Fix[]): Feature[] {
  const found: { where: Where; date: string; coordinates: [number, number][] }[] = [];
  for (const { at, where, date } of line) {
    const last = found.at(-1);
    last?.coordinates.push(at);
    if (last?.where !== where || last.date !== date) found.push({ where, date, coordinates: [at] });
  }
  return found
    .filter(({ coordinates }) => coordinates.length > 1)
    .map(({ where, date, coordinates }) => ({
      type: 'Feature',
      properties: { where, date },
      geometry: { type: 'LineString', coordinates },
    }));
}

function look(map: Chart, { trip, lines, date }: Shown): void {
  const fixes = lines.flat().filter((fix) => date === null || fix.date === date);
  const lodgings = trip.legs.flatMap(({ lodgingLon: lon, lodgingLat: lat }) =>
    lon !== null && lat !== null ? [[lon, lat] as [number, number]] : [],
  );
  const bounds = new LngLatBounds();
  for (const { at } of fixes) bounds.extend(at);
  if (date === null) {
    for (const at of [...lodgings, ...destinationsOf(trip)]) bounds.extend(at);
  }
  if (bounds.isEmpty()) return;
  map.fitBounds(bounds, {
    padding: 60,
    maxZoom: 14,
    animate: !matchMedia('(prefers-reduced-motion: reduce)').matches,
  });
}

const destinationsOf = (trip: CaseTrip): [number, number][] =>
  outlines.features
    .filter(({ properties }) => codesOf(trip).includes(properties.code))
    .flatMap(({ geometry }) => geometry.coordinates.flat(2));

const codesOf = (trip: CaseTrip): string[] => trip.legs.map(({ regionCode }) => regionCode);

const lodgingsOf = (trip: CaseTrip): Marker[] =>
  trip.legs.flatMap(({ lodgingLon: lon, lodgingLat: lat, lodgingName }) =>
    lon !== null && lat !== null
      ? [pin(lodgingName ?? t().map.lodging, 'lodging', 'bottom').setLngLat([lon, lat])]
      : [],
  );
