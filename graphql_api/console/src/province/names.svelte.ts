import { ask } from '@/api.svelte';
import { NamesDocument, type NamesQuery } from './sharing/sharing.generated';

let known = $state.raw<NamesQuery['sharing']>([]);
let asked = false;

/** The province's regencies, by code; none until they have come. */
export function regencies(): NamesQuery['sharing'] {
  if (!asked) {
    asked = true;
    ask(NamesDocument, {}).then(
      ({ sharing }) => {
        known = sharing;
      },
      () => {
        asked = false;
      },
    );
  }
  return known;
}

/** A regency's name; its code until the names have come. */
export const regency = (code: string): string =>
  regencies().find(({ regencyCode }) => regencyCode === code)?.name ?? code;
