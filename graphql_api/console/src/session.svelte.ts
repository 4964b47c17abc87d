import { ask, Trouble } from './api.svelte';
import type { Role } from './generated/tenant';
import { t } from './language/language.svelte';
import { OverseerDocument } from './province/regencies/regencies.generated';
import { at, realm } from './realm';
import {
  RegionsDocument,
  type RegionsQuery,
  ViewerDocument,
  type ViewerQuery,
} from './session.generated';
import { clear, forget, keep, kept, unsent } from './traveller/shelf';

export interface Viewer {
  name: string;
  roles: readonly Role[];
  /** Absent at the province, which knows no members' ids. */
  id?: string;
  office?: { id: string; name: string } | null;
}

/**
 * Who has signed in; null when nobody has. Without a network a traveller is who she was when there
 * was one. Throws `Trouble`.
 */
export async function viewer(): Promise<Viewer | null> {
  try {
    if (!realm.isProvince) {
      const { viewer } = await ask(ViewerDocument, {});
      await remember(viewer).catch(() => {});
      return viewer;
    }
    const { viewerName } = await ask(OverseerDocument, {});
    return viewerName === null ? null : { name: viewerName, roles: ['OVERSEER'] };
  } catch (trouble) {
    if (!(trouble instanceof Trouble)) throw trouble;
    if (trouble.code === 'NOT_SIGNED_IN') {
      await remember(null).catch(() => {});
      return null;
    }
    const before = trouble.code === 'UNREACHABLE' && (await kept<Viewer>('viewer').catch(() => {}));
    if (before) return before;
    throw trouble;
  }
}

/** Keep who a traveller is; nobody else finds what was answered to her before. */
async function remember(viewer: ViewerQuery['viewer']): Promise<void> {
  const before = await kept<Viewer>('viewer');
  if (before && before.id !== viewer?.id) await forget();
  if (viewer?.roles.includes('TRAVELLER')) await keep('viewer', viewer);
}

/** Sign out, and leave nothing in this browser; asks first when something was not sent yet. */
export async function leave(event: SubmitEvent & { currentTarget: HTMLFormElement }) {
  event.preventDefault();
  const form = event.currentTarget;
  const waiting = await unsent().catch(() => 0);
  if (!navigator.onLine) return alert(t().shell.signOutOffline);
  if (waiting > 0 && !confirm(t().shell.signOutUnsent(waiting))) return;
  await clear().catch(() => {});
  form.submit();
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
        keep('regions', regions).catch(() => {});
      },
      async () => {
        const before = await kept<RegionsQuery['regions']>('regions').catch(() => undefined);
        for (const { code, name } of before ?? []) names[code] = name;
        asked = before !== undefined;
      },
    );
  }
  return names[code] ?? code;
}
