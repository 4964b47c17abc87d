import type { Feature, Point } from 'geojson';
import type { Map as Chart, GeoJSONFeature, GeoJSONSource, Marker } from 'maplibre-gl';
import { t } from '@/language/language.svelte';
import { chart, pin } from '@/map/chart';
import type { Drawing } from '@/map/drawing';
import type { Traveller } from './crowd.svelte';

export interface Shown {
  travellers: readonly Traveller[];
  /** The trip that the reader chose from the list, if any. */
  chosen: string | null;
}

/** How long a traveller takes on the map from where she was to where she is, in milliseconds. */
const GLIDE = 1_000;
const STEP = 100;

interface Glide {
  from: [number, number];
  to: [number, number];
}

/** Many travellers, near ones counted together, each gliding to where she was seen last. */
export function draw(box: HTMLElement): Drawing<Shown> {
  const map = chart(box);
  const loaded = new Promise<void>((resolve) => {
    map.once('load', () => {
      addLayers(map);
      resolve();
    });
  });
  const counts = new Counts(map);
  const chosenPin = pin('', 'here');
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  let glides = new Map<string, Glide>();
  let deviating = new Set<string>();
  let began = 0;
  let chosen: string | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let gone = false;

  const share = () => (still ? 1 : Math.min(1, (performance.now() - began) / GLIDE));
  const between = ({ from, to }: Glide): [number, number] => {
    const done = share();
    return [from[0] + (to[0] - from[0]) * done, from[1] + (to[1] - from[1]) * done];
  };

  async function step(): Promise<void> {
    await loaded;
    if (gone) return;
    const features = [...glides].map(
      ([id, glide]): Feature<Point> => ({
        type: 'Feature',
        properties: { id, deviates: deviating.has(id) ? 1 : 0 },
        geometry: { type: 'Point', coordinates: between(glide) },
      }),
    );
    map.getSource<GeoJSONSource>('travellers')?.setData({ type: 'FeatureCollection', features });
    const glide = chosen === null ? undefined : glides.get(chosen);
    if (glide) chosenPin.setLngLat(between(glide)).addTo(map);
    else chosenPin.remove();
    timer = share() < 1 ? setTimeout(step, STEP) : undefined;
  }

  function show(shown: Shown): void {
    const before = new Map([...glides].map(([id, glide]) => [id, between(glide)]));
    glides = new Map(
      shown.travellers.map(({ tripId, lon, lat }) => {
        const to: [number, number] = [lon, lat];
        return [tripId, { from: before.get(tripId) ?? to, to }];
      }),
    );
    deviating = new Set(
      shown.travellers.filter(({ outcome }) => outcome === 'DEVIATES').map(({ tripId }) => tripId),
    );
    if (shown.chosen !== chosen) {
      chosen = shown.chosen;
      const glide = chosen === null ? undefined : glides.get(chosen);
      if (glide) map.easeTo({ center: glide.to, zoom: Math.max(map.getZoom(), 11) });
    }
    began = performance.now();
    clearTimeout(timer);
    void step();
  }

  return {
    show,
    remove: () => {
      gone = true;
      clearTimeout(timer);
      counts.remove();
      map.remove();
    },
  };
}

function addLayers(map: Chart): void {
  map.addSource('travellers', {
    type: 'geojson',
    data: { type: 'FeatureCollection', features: [] },
    cluster: true,
    clusterRadius: 45,
    clusterMaxZoom: 13,
    clusterProperties: { deviates: ['+', ['get', 'deviates']] },
  });
  map.addLayer({
    id: 'travellers',
    type: 'circle',
    source: 'travellers',
    filter: ['!', ['has', 'point_count']],
    paint: {
      'circle-radius': 7,
      'circle-color': ['case', ['>', ['get', 'deviates'], 0], '#c2352b', '#0b4a7a'],
      'circle-stroke-color': '#fff',
      'circle-stroke-width': 2,
    },
  });
  // Its circles are the counts' own; the layer has the clusters computed.
  map.addLayer({
    id: 'clusters',
    type: 'circle',
    source: 'travellers',
    filter: ['has', 'point_count'],
    paint: { 'circle-radius': 1, 'circle-opacity': 0 },
  });
}

/** How many travellers stand together: buttons on the map, since their text needs no glyphs. */
class Counts {
  #map: Chart;
  #markers = new Map<string, Marker>();

  constructor(map: Chart) {
    this.#map = map;
    map.on('sourcedata', ({ sourceId, isSourceLoaded }) => {
      if (sourceId === 'travellers' && isSourceLoaded) this.#place();
    });
    map.on('idle', () => this.#place());
  }

  remove(): void {
    for (const marker of this.#markers.values()) marker.remove();
  }

  #place(): void {
    if (!this.#map.getSource('travellers') || !this.#map.isSourceLoaded('travellers')) return;
    const clusters = new Map<string, GeoJSONFeature>();
    for (const feature of this.#map.querySourceFeatures('travellers', {
      filter: ['has', 'point_count'],
    })) {
      const { cluster_id, point_count, deviates } = feature.properties;
      clusters.set(`${cluster_id}/${point_count}/${deviates}`, feature);
    }
    for (const [key, marker] of this.#markers) {
      if (clusters.has(key)) continue;
      marker.remove();
      this.#markers.delete(key);
    }
    for (const [key, { properties, geometry }] of clusters) {
      if (geometry.type !== 'Point') continue;
      const at = geometry.coordinates as [number, number];
      const known = this.#markers.get(key);
      if (known) known.setLngLat(at);
      else this.#markers.set(key, this.#count(properties).setLngLat(at).addTo(this.#map));
    }
  }

  #count({ cluster_id, point_count, deviates }: GeoJSONFeature['properties']): Marker {
    const marker = pin('', deviates ? 'cluster deviates' : 'cluster');
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = String(point_count);
    button.setAttribute('aria-label', t().live.cluster(point_count));
    button.addEventListener('click', async () => {
      const source = this.#map.getSource<GeoJSONSource>('travellers');
      const zoom = await source?.getClusterExpansionZoom(cluster_id);
      this.#map.easeTo({ center: marker.getLngLat(), ...(zoom ? { zoom } : {}) });
    });
    marker.getElement().append(button);
    return marker;
  }
}
