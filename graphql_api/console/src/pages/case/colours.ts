import type { Where } from './spans';

interface Stroke {
  colour: string;
  width: number;
  dash?: number[];
}

/** How each standing to the plan is drawn: by stroke as well, for those who see no colours. */
export const COLOURS: Record<Where, Stroke> = {
  lawful: { colour: '#0b4a7a', width: 3, dash: [2, 1.5] },
  home: { colour: '#51606e', width: 2 },
  planned: { colour: '#14633a', width: 4 },
  elsewhere: { colour: '#c2352b', width: 6 },
};
