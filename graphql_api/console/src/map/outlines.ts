import drawn from '../../../../tenants/outlines.json';

type Position = [number, number];

const arcs = drawn.arcs as unknown as Record<string, Position[]>;
const regions = drawn.regions as unknown as Record<
  string,
  { name: string; polygons: string[][][] }
>;

const arc = (name: string): Position[] =>
  name.startsWith('-') ? [...(arcs[name.slice(1)] ?? [])].reverse() : (arcs[name] ?? []);

/** A ring of arcs; where two meet, their common end is there once. */
const ring = (names: string[]): Position[] => {
  const points = names.flatMap((name) => arc(name).slice(0, -1));
  return points[0] ? [...points, points[0]] : [];
};

export interface Outlines {
  type: 'FeatureCollection';
  features: {
    type: 'Feature';
    properties: { code: string; name: string };
    geometry: { type: 'MultiPolygon'; coordinates: Position[][][] };
  }[];
}

/** The product's own drawing. */
export const outlines: Outlines = {
  type: 'FeatureCollection' as const,
  features: Object.entries(regions).map(([code, { name, polygons }]) => ({
    type: 'Feature' as const,
    properties: { code, name },
    geometry: {
      type: 'MultiPolygon' as const,
      coordinates: polygons.map((rings) => rings.map(ring)),
    },
  })),
};

/** Where a region's name fits: the middle of its box. */
export const middlesOf = ({ features }: Outlines) =>
  features.map(({ properties, geometry }) => {
    const points = geometry.coordinates.flat(2);
    const middle = (axis: 0 | 1): number => {
      const values = points.map((point) => point[axis]);
      return (
        (values.reduce((a, b) => Math.min(a, b)) + values.reduce((a, b) => Math.max(a, b))) / 2
      );
    };
    return { name: properties.name, at: [middle(0), middle(1)] as Position };
  });
