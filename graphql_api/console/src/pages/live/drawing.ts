import { type Marker, MercatorCoordinate } from 'maplibre-gl';
import { t } from '@/language/language.svelte';
import { chart, pin } from '@/map/chart';
import type { Drawing } from '@/map/drawing';
import { type Cluster, clustered, type Dot } from './clusters';
import type { Traveller } from './crowd.svelte';

export interface Shown {
  travellers: readonly Traveller[];
  /** The trip that the reader chose from the list, if any. */
  chosen: string | null;
}

/** How long a traveller takes on the map from where she was to where she is, in milliseconds. */
const GLIDE = 1_000;
/** Pixels of the screen below which nobody sees her glide. */
const SEEN = 1;
const RADIUS = 7;
const EDGE = 2;

interface Moving extends Dot {
  fromX: number;
  fromY: number;
  began: number;
}

/**
 * Many travellers, near ones counted together, each gliding to where she was seen last.
 *
 * They are painted on a sheet of their own above the map: where only travellers move, the map
 * itself is not painted anew.
 */
export function draw(box: HTMLElement): Drawing<Shown> {
  const map = chart(box);
  const sheet = new Sheet(map.getCanvasContainer());
  const counts = new Map<string, Marker>();
  const chosenPin = pin('', 'here');
  const glide = matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : GLIDE;
  let dots = new Map<string, Moving>();
  let clusters: Cluster<Moving>[] = [];
  let alone: Moving[] = [];
  let chosen: string | null = null;
  let level = Number.NaN;
  let frame = 0;

  const share = (dot: Moving, now: number) => (glide ? Math.min(1, (now - dot.began) / glide) : 1);
  const x = (dot: Moving, done: number) => dot.fromX + (dot.x - dot.fromX) * done;
  const y = (dot: Moving, done: number) => dot.fromY + (dot.y - dot.fromY) * done;

  /** Paint everybody where she is by now, and again at the next frame if somebody glides. */
  function paint(): void {
    cancelAnimationFrame(frame);
    frame = 0;
    const now = performance.now();
    const scale = worldSize(map.getZoom());
    const middle = MercatorCoordinate.fromLngLat(map.getCenter());
    const { width, height } = sheet.cleared();
    const left = middle.x - width / 2 / scale;
    const top = middle.y - height / 2 / scale;
    let gliding = false;
    const put = (dot: Moving): void => {
      const done = share(dot, now);
      const across = (x(dot, done) - left) * scale;
      const down = (y(dot, done) - top) * scale;
      if (across < -RADIUS || down < -RADIUS || across > width + RADIUS || down > height + RADIUS)
        return;
      sheet.put(across, down, dot.deviates);
      const way = Math.hypot(dot.x - dot.fromX, dot.y - dot.fromY) * scale;
      if (done < 1 && way > SEEN) gliding = true;
    };
    for (const dot of alone) put(dot);
    const followed = chosen === null ? undefined : dots.get(chosen);
    if (followed) {
      const done = share(followed, now);
      chosenPin
        .setLngLat(new MercatorCoordinate(x(followed, done), y(followed, done)).toLngLat())
        .addTo(map);
      if (done < 1) gliding = true;
    } else chosenPin.remove();
    if (gliding) frame = requestAnimationFrame(paint);
  }

  function count(): void {
    level = Math.floor(map.getZoom());
    ({ alone, clusters } = clustered(dots.values(), level));
    place();
  }

  /** How many stand together: buttons where the map is seen, since their text needs no glyphs. */
  function place(): void {
    const bounds = map.getBounds();
    const seen = new Map<string, Cluster<Moving>>();
    for (const cluster of clusters) {
      if (bounds.contains(middleOf(cluster))) seen.set(cluster.key, cluster);
    }
    for (const [key, marker] of counts) {
      if (seen.has(key)) continue;
      marker.remove();
      counts.delete(key);
    }
    for (const [key, cluster] of seen) {
      const marker = counts.get(key) ?? pin('', 'cluster');
      marker.setLngLat(middleOf(cluster));
      label(marker, cluster);
      if (counts.has(key)) continue;
      counts.set(key, marker.addTo(map));
      marker.getElement().addEventListener('click', () => apart(key));
    }
  }

  /** Come so near that those who stand together come apart. */
  function apart(key: string): void {
    const members = clusters.find((cluster) => cluster.key === key)?.members ?? [];
    const corner = (most: (...values: number[]) => number) =>
      new MercatorCoordinate(
        most(...members.map((dot) => dot.x)),
        most(...members.map((dot) => dot.y)),
      ).toLngLat();
    if (members.length)
      map.fitBounds([corner(Math.min), corner(Math.max)], { padding: 60, maxZoom: 15 });
  }

  map.on('render', () => {
    if (Math.floor(map.getZoom()) !== level) count();
    paint();
  });
  map.on('moveend', place);
  const sized = new ResizeObserver(([entry]) => {
    if (entry) sheet.resize(entry.contentRect.width, entry.contentRect.height);
    paint();
  });
  sized.observe(box);

  function show(shown: Shown): void {
    const now = performance.now();
    const before = dots;
    dots = new Map();
    for (const { tripId, lon, lat, outcome } of shown.travellers) {
      const dot = before.get(tripId) ?? arrived(tripId);
      if (dot.lon !== lon || dot.lat !== lat) {
        const done = share(dot, now);
        const to = MercatorCoordinate.fromLngLat([lon, lat]);
        const known = !Number.isNaN(dot.lon);
        dot.fromX = known ? x(dot, done) : to.x;
        dot.fromY = known ? y(dot, done) : to.y;
        Object.assign(dot, { x: to.x, y: to.y, lon, lat, began: now });
      }
      dot.deviates = outcome === 'DEVIATES';
      dots.set(tripId, dot);
    }
    if (shown.chosen !== chosen) {
      chosen = shown.chosen;
      const dot = chosen === null ? undefined : dots.get(chosen);
      if (dot) map.easeTo({ center: [dot.lon, dot.lat], zoom: Math.max(map.getZoom(), 11) });
    }
    count();
    paint();
  }

  return {
    show,
    remove: () => {
      cancelAnimationFrame(frame);
      sized.disconnect();
      map.remove();
    },
  };
}

const worldSize = (zoom: number): number => 512 * 2 ** zoom;

const arrived = (id: string): Moving => ({
  id,
  lon: Number.NaN,
  lat: Number.NaN,
  x: 0,
  y: 0,
  fromX: 0,
  fromY: 0,
  began: Number.NEGATIVE_INFINITY,
  deviates: false,
});

const middleOf = ({ x, y }: Cluster<Moving>) => new MercatorCoordinate(x, y).toLngLat();

function label(marker: Marker, { members, deviates }: Cluster<Moving>): void {
  const element = marker.getElement();
  element.classList.toggle('deviates', deviates);
  let button = element.querySelector('button');
  if (!button) {
    button = document.createElement('button');
    button.type = 'button';
    element.append(button);
  }
  const said = String(members.length);
  if (button.textContent === said && button.lang === document.documentElement.lang) return;
  button.lang = document.documentElement.lang;
  button.textContent = said;
  button.setAttribute('aria-label', t().live.cluster(members.length));
}

/** A transparent sheet over the map on which dots are put, as sharp as the screen allows. */
class Sheet {
  #canvas = document.createElement('canvas');
  #pen = this.#canvas.getContext('2d');
  #stamps: HTMLCanvasElement[] = [];
  #ratio = 1;
  #width = 0;
  #height = 0;

  constructor(under: HTMLElement) {
    this.#canvas.className = 'sheet';
    under.append(this.#canvas);
  }

  resize(width: number, height: number): void {
    this.#ratio = devicePixelRatio;
    this.#width = width;
    this.#height = height;
    this.#canvas.width = Math.round(width * this.#ratio);
    this.#canvas.height = Math.round(height * this.#ratio);
    this.#stamps = ['#0b4a7a', '#c2352b'].map((colour) => stamp(colour, this.#ratio));
  }

  cleared(): { width: number; height: number } {
    this.#pen?.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    return { width: this.#width, height: this.#height };
  }

  put(across: number, down: number, deviates: boolean): void {
    const image = this.#stamps[deviates ? 1 : 0];
    if (!image) return;
    const half = image.width / 2;
    this.#pen?.drawImage(image, across * this.#ratio - half, down * this.#ratio - half);
  }
}

/** A dot, drawn once. */
function stamp(colour: string, ratio: number): HTMLCanvasElement {
  const image = document.createElement('canvas');
  const size = Math.ceil(2 * (RADIUS + EDGE) * ratio);
  image.width = image.height = size;
  const pen = image.getContext('2d');
  if (!pen) return image;
  pen.arc(size / 2, size / 2, (RADIUS + EDGE / 2) * ratio, 0, 2 * Math.PI);
  pen.fillStyle = colour;
  pen.fill();
  pen.lineWidth = EDGE * ratio;
  pen.strokeStyle = '#fff';
  pen.stroke();
  return image;
}
