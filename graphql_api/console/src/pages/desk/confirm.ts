import { change } from '@/api.svelte';
import type { VisumEvent } from '@/generated/tenant';
import { said } from '@/language/language.svelte';
import {
  ConfirmArrivalDocument,
  type ConfirmArrivalMutation,
  ConfirmDepartureDocument,
  type GuestFragment,
} from './desk.generated';
import { t } from './words';

/** A leg of the list, at a time or now; or what the traveller showed. */
export type Shown =
  | { tripId: string; leg: number; at: string | null }
  | { qr: string }
  | { code: string };

type Result = ConfirmArrivalMutation['confirmArrival'];
type Refusal = Exclude<Result, GuestFragment>;

/** The guest as she now stands, or why not, in words; throws `Trouble`. */
export async function confirm(event: VisumEvent, shown: Shown): Promise<GuestFragment | string> {
  const nothing = { tripId: null, leg: null, qr: null, code: null, at: null };
  const variables = { ...nothing, ...shown };
  const result: Result =
    event === 'ARRIVAL'
      ? (await change(ConfirmArrivalDocument, variables)).confirmArrival
      : (await change(ConfirmDepartureDocument, variables)).confirmDeparture;
  return result.__typename === 'IncomingTrip' ? result : words(result as Refusal);
}

function words(refusal: Refusal): string {
  if (refusal.__typename === 'InvalidInput') {
    return refusal.field === 'at' ? t().outside : t().invalid;
  }
  if (refusal.__typename === 'WrongState') {
    return t().wrong[refusal.currentState] ?? said(refusal);
  }
  return said(refusal);
}
