import {
  AttributionControl,
  Map as Chart,
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
import { t } from '@/language/language.svelte';
import { middles, outlines } from './outlines';

setWorkerUrl(new URL(workerUrl, location.origin).href);

const PROVINCE: LngLatBoundsLike = [113.8, -2.5, 119.1, 2.7];

/** A map of our own outlines: no tiles, no glyphs, no request to anybody. */
export function chart(box: HTMLElement): Chart {
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
  map.addControl(
    new AttributionControl({ compact: false, customAttribution: t().map.approximate }),
    'bottom-right',
  );
  for (const { name, at } of middles) pin(name, 'place').setLngLat(at).addTo(map);
  return map;
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
