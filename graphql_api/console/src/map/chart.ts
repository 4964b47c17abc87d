import {
  AttributionControl,
  Map as Chart,
  type GeoJSONSource,
  type LngLatBoundsLike,
  Marker,
  NavigationControl,
  type PositionAnchor,
  ScaleControl,
  setWorkerUrl,
} from 'maplibre-gl';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url';
import 'maplibre-gl/dist/maplibre-gl.css';
import './map.css';
import { ask } from '@/api.svelte';
import { date } from '@/format';
import { t } from '@/language/language.svelte';
import { realm } from '@/realm';
import { BoundariesDocument } from '@/session.generated';
import { middlesOf, type Outlines, outlines } from './outlines';

setWorkerUrl(new URL(workerUrl, location.origin).href);

/** The version that every regency begins with: our own drawing. */
const SHIPPED = 1;
const PROVINCE: LngLatBoundsLike = [113.8, -2.5, 119.1, 2.7];

/**
 * A map of outlines alone: no tiles, no glyphs, no request to any stranger. They are the product's
 * own until the regency has imported official ones; `version` is of those that a verdict used.
 */
export function chart(box: HTMLElement, version?: number): Chart {
  const map = new Chart({
    container: box,
    style: {
      version: 8,
      sources: { regions: { type: 'geojson', data: outlines } },
      layers: [
        { id: 'sea', type: 'background', paint: { 'background-color': '#dfe9ef' } },
        { id: 'regions', type: 'fill', source: 'regions', paint: { 'fill-color': '#f6f2e8' } },
        {
          id: 'borders',
          type: 'line',
          source: 'regions',
          paint: { 'line-color': '#8d8467', 'line-width': 1 },
        },
      ],
    },
    bounds: PROVINCE,
    maxZoom: 18,
    dragRotate: false,
    pitchWithRotate: false,
    attributionControl: false,
    cooperativeGestures: false,
    // Or the canvas would be blank on paper.
    canvasContextAttributes: { preserveDrawingBuffer: true },
  });
  map.touchZoomRotate.disableRotation();
  map.addControl(new NavigationControl({ showCompass: false }), 'top-right');
  map.addControl(new ScaleControl({}), 'bottom-left');
  const put = (drawn: Outlines, source: string): (() => void) => {
    const said = new AttributionControl({ compact: false, customAttribution: escaped(source) });
    map.addControl(said, 'bottom-right');
    const names = middlesOf(drawn).map(({ name, at }) => pin(name, 'place').setLngLat(at));
    for (const name of names) name.addTo(map);
    return () => {
      map.removeControl(said);
      for (const name of names) name.remove();
    };
  };
  const clear = put(outlines, t().map.approximate);
  if (!realm.isProvince)
    void official(version).then((found) => {
      if (!found) return;
      map.getSource<GeoJSONSource>('regions')?.setData(found.drawn);
      clear();
      put(found.drawn, found.source);
    });
  return map;
}

/** The control takes HTML. */
function escaped(text: string): string {
  const element = document.createElement('span');
  element.textContent = text;
  return element.innerHTML;
}

/** What a regency imported, of the regions that are drawn here; null when it is our own drawing. */
async function official(version?: number): Promise<{ drawn: Outlines; source: string } | null> {
  const codes = outlines.features.map(({ properties }) => properties.code);
  try {
    const { boundarySet: set } = await ask(BoundariesDocument, { version: version ?? null, codes });
    if (!set || set.version === SHIPPED) return null;
    const source = t().map.source(set.source, set.licence, date(set.dated));
    return { drawn: set.outlines as unknown as Outlines, source };
  } catch {
    // A map that is approximate is better than none.
    return null;
  }
}

/** Words on the map, as HTML: text, whatever is in it. */
export function pin(words: string, kind: string, anchor: PositionAnchor = 'center'): Marker {
  const element = document.createElement('span');
  element.className = `pin ${kind}`;
  element.textContent = words;
  const marker = new Marker({ element, anchor });
  for (const name of ['role', 'tabindex', 'aria-label']) element.removeAttribute(name);
  return marker;
}
