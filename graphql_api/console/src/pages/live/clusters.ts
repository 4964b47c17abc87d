/** Somebody on the map: where, in degrees and as a share of the Mercator square. */
export interface Dot {
  id: string;
  lon: number;
  lat: number;
  x: number;
  y: number;
  deviates: boolean;
}

/** Those who stand too near to be told apart, at their middle. */
export interface Cluster<Each extends Dot> {
  /** Of the first of them: as long as she stays, it is the same cluster. */
  key: string;
  members: Each[];
  x: number;
  y: number;
  deviates: boolean;
}

/** In pixels at a whole zoom level. */
const APART = 45;
/** Nearer than this, everybody stands alone. */
const NEAREST = 13;

/**
 * Each joins the nearest who came before and is near enough, else others may join her.
 *
 * The order of the dots is to stay the same, or clusters would not.
 */
export function clustered<Each extends Dot>(
  dots: Iterable<Each>,
  level: number,
): { alone: Each[]; clusters: Cluster<Each>[] } {
  if (level > NEAREST) return { alone: [...dots], clusters: [] };
  const across = APART / (512 * 2 ** level);
  const columns = Math.ceil(1 / across);
  const groups: Each[][] = [];
  const firsts = new Map<number, Each[][]>();
  for (const dot of dots) {
    const column = Math.floor(dot.x / across);
    const row = Math.floor(dot.y / across);
    let nearest: Each[] | undefined;
    let least = across;
    for (let cell = 0; cell < 9; cell += 1) {
      const key = (row + Math.floor(cell / 3) - 1) * columns + column + (cell % 3) - 1;
      for (const group of firsts.get(key) ?? []) {
        const [first] = group as [Each];
        const distance = Math.hypot(first.x - dot.x, first.y - dot.y);
        if (distance < least) [nearest, least] = [group, distance];
      }
    }
    if (nearest) nearest.push(dot);
    else {
      const group = [dot];
      groups.push(group);
      const key = row * columns + column;
      const beside = firsts.get(key);
      if (beside) beside.push(group);
      else firsts.set(key, [group]);
    }
  }
  const mean = (values: number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
  return {
    alone: groups.filter((group) => group.length === 1).flat(),
    clusters: groups
      .filter((group) => group.length > 1)
      .map((members) => ({
        key: (members as [Each])[0].id,
        members,
        x: mean(members.map((dot) => dot.x)),
        y: mean(members.map((dot) => dot.y)),
        deviates: members.some((dot) => dot.deviates),
      })),
  };
}
