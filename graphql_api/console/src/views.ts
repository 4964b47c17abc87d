import type { Component } from 'svelte';
import type { Role } from './generated/tenant';
import type { Messages } from './language/id';
import { realm } from './realm';
import type { Viewer } from './session.svelte';

interface View {
  path: RegExp;
  /** Absent: everybody who has signed in. */
  roles?: readonly Role[];
  /** Its place in the menu, if it has one. */
  menu?: keyof Messages['shell'] & string;
  // biome-ignore lint/suspicious/noExplicitAny: pages differ in what they take from the address
  load: () => Promise<{ default: Component<any> }>;
}

export const ISSUERS: readonly Role[] = ['OPERATOR', 'TENANT_ADMIN'];
const WATCHERS: readonly Role[] = ['INSPECTOR', 'HEAD_OF_OFFICE'];

const OF_REGENCY: Record<string, View> = {
  deviations: {
    path: /^deviations$/,
    menu: 'deviations',
    load: () => import('./pages/deviations/Deviations.svelte'),
  },
  trips: { path: /^trips$/, menu: 'trips', load: () => import('./pages/trips/Trips.svelte') },
  'trips/new': {
    path: /^trips\/new$/,
    roles: ISSUERS,
    menu: 'newTrip',
    load: () => import('./pages/trip-form/TripForm.svelte'),
  },
  case: {
    path: /^trips\/(?<id>[0-9a-f-]{36})$/,
    load: () => import('./pages/case/Case.svelte'),
  },
  live: {
    path: /^live$/,
    roles: WATCHERS,
    menu: 'live',
    load: () => import('./pages/live/Live.svelte'),
  },
};
const OF_PROVINCE: Record<string, View> = {
  '': {
    path: /^$/,
    roles: ['OVERSEER'],
    menu: 'regencies',
    load: () => import('./pages/regencies/Regencies.svelte'),
  },
};
const VIEWS = realm.isProvince ? OF_PROVINCE : OF_REGENCY;

const allowed = (view: View, viewer: Viewer): boolean =>
  !view.roles || view.roles.some((role) => viewer.roles.includes(role));

/** The view at an address and what the address says, if the viewer may use it. */
export function viewAt(path: string, viewer: Viewer) {
  for (const view of Object.values(VIEWS)) {
    const match = view.path.exec(path);
    if (match && allowed(view, viewer)) return { load: view.load, given: { ...match.groups } };
  }
  return undefined;
}

export const menuOf = (viewer: Viewer) =>
  Object.entries(VIEWS).flatMap(([path, view]) =>
    view.menu && allowed(view, viewer) ? [{ path, label: view.menu }] : [],
  );

/** Where a viewer begins. */
export function home(viewer: Viewer): string {
  if (realm.isProvince) return '';
  return viewer.roles.includes('INSPECTOR') ? 'deviations' : 'trips';
}
