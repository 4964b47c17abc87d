import type { DeviationState, Outcome, Severity } from '@/generated/tenant';

export const ofSeverity = {
  HIGH: 'bad',
  MEDIUM: 'warn',
  LOW: 'plain',
  NOTE: 'plain',
} as const satisfies Record<Severity, string>;

export const ofState = {
  OPEN: 'plain',
  ANSWERED: 'warn',
  UPHELD: 'bad',
  EXCUSED: 'good',
  WITHDRAWN: 'plain',
} as const satisfies Record<DeviationState, string>;

export const ofOutcome = {
  CONFORMS: 'good',
  DEVIATES: 'bad',
  UNVERIFIABLE: 'warn',
} as const satisfies Record<Outcome, string>;
