import { hours, number, percent, rupiah } from '@/format';
import type { FiguresFragment } from './regencies.generated';
import type { t } from './words';

export type IndicatorName = keyof ReturnType<typeof t>['indicators'];

export interface Figure {
  value: number;
  low?: number;
  high?: number;
}
interface Indicator {
  /** Null where nothing says what it is. */
  of: (figures: FiguresFragment) => Figure | null;
  text: (value: number) => string;
  /** A month without trips and cases counts nothing, rather than being unknown. */
  counts: boolean;
  /** The whole that shares are parts of. */
  most?: number;
}

const known = (value: number | null): Figure | null => (value === null ? null : { value });

export const INDICATORS: Record<IndicatorName, Indicator> = {
  deviating: {
    of: ({ deviationShare: found }) =>
      found && { value: found.share, low: found.low, high: found.high },
    text: percent,
    counts: false,
    most: 1,
  },
  trips: { of: ({ trips }) => ({ value: trips }), text: number, counts: true },
  days: { of: ({ days }) => ({ value: days }), text: number, counts: true },
  coverage: { of: ({ coverage }) => known(coverage), text: percent, counts: false, most: 1 },
  open: { of: ({ openDeviations }) => ({ value: openDeviations }), text: number, counts: true },
  settled: {
    of: ({ settledDeviations }) => ({ value: settledDeviations }),
    text: number,
    counts: true,
  },
  stake: {
    of: ({ amountAtStake }) => ({ value: Number(amountAtStake) }),
    text: (value) => rupiah(String(value)),
    counts: true,
  },
  reply: {
    of: ({ medianHoursToReply }) => known(medianHoursToReply),
    text: hours,
    counts: false,
  },
  ruling: {
    of: ({ medianHoursToRuling }) => known(medianHoursToRuling),
    text: hours,
    counts: false,
  },
};

export const NAMES = Object.keys(INDICATORS) as IndicatorName[];
