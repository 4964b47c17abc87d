import { ask, Trouble } from './api.svelte';
import type { Role } from './generated/tenant';
import { OverseerDocument } from './pages/regencies/regencies.generated';
import { at, realm } from './realm';
import { RegionsDocument, ViewerDocument } from './session.generated';

export interface Viewer {
  name: string;
  roles: readonly Role[];
  /** Absent at the province, which knows no members' ids. */
  id?: string;
  office?: { id: string; name: string } | null;
}

/** Who has signed in; null when nobody has. Throws `Trouble`. */
export async function viewer(): Promise<Viewer | null> {
  try {
    if (!realm.isProvince) return (await ask(ViewerDocument, {})).viewer;
    const { viewerName } = await ask(OverseerDocument, {});
    return viewerName === null ? null : { name: viewerName, roles: ['OVERSEER'] };
  } catch (trouble) {
    if (trouble instanceof Trouble && trouble.code === 'NOT_SIGNED_IN') return null;
    throw trouble;
  }
}

/** Where to sign in, to come back to this view. */
export const signIn = (): string =>
  `${at('login')}?next=${encodeURIComponent(location.pathname + location.search)}`;

const names = $state<Record<string, string>>({});
let asked = false;

/** A region's name; its code until the names have come. */
export function region(code: string): string {
  if (!asked) {
    asked = true;
    ask(RegionsDocument, {}).then(
      ({ regions }) => {
        for (const { code, name } of regions) names[code] = name;
      },
      () => {
        asked = false;
      },
    );
  }
  return names[code] ?? code;
}
