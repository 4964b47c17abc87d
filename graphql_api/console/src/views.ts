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
  /** How many things wait there, beside its name in the menu. */
  count?: () => Promise<{ default: Component }>;
  // biome-ignore lint/suspicious/noExplicitAny: pages differ in what they take from the address
  load: () => Promise<{ default: Component<any> }>;
}

export const ISSUERS: readonly Role[] = ['OPERATOR', 'TENANT_ADMIN'];
const ADMINS: readonly Role[] = ['TENANT_ADMIN'];
const TRAVELLERS: readonly Role[] = ['TRAVELLER'];
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
  today: {
    path: /^today$/,
    roles: ['HEAD_OF_OFFICE'],
    menu: 'today',
    load: () => import('./pages/today/Today.svelte'),
  },
  proposals: {
    path: /^proposals$/,
    roles: [...ISSUERS, 'HEAD_OF_OFFICE'],
    menu: 'proposals',
    count: () => import('./pages/proposals/Waiting.svelte'),
    load: () => import('./pages/proposals/Proposals.svelte'),
  },
  'trips/again': {
    path: /^trips\/(?<id>[0-9a-f-]{36})\/(?<how>copy|revise)$/,
    roles: ISSUERS,
    load: () => import('./pages/trip-form/TripForm.svelte'),
  },
  'proposals/again': {
    path: /^proposals\/(?<id>[0-9a-f-]{36})\/(?<how>amend)$/,
    roles: ISSUERS,
    load: () => import('./pages/trip-form/TripForm.svelte'),
  },
  case: {
    path: /^trips\/(?<id>[0-9a-f-]{36})$/,
    load: () => import('./pages/case/Case.svelte'),
  },
  mine: {
    path: /^mine$/,
    roles: TRAVELLERS,
    menu: 'mine',
    load: () => import('./pages/mine/Mine.svelte'),
  },
  'mine/phones': {
    path: /^mine\/phones$/,
    roles: TRAVELLERS,
    load: () => import('./pages/mine/Phones.svelte'),
  },
  'mine/accesses': {
    path: /^mine\/accesses$/,
    roles: TRAVELLERS,
    load: () => import('./pages/mine/Accesses.svelte'),
  },
  live: {
    path: /^live$/,
    roles: WATCHERS,
    menu: 'live',
    load: () => import('./pages/live/Live.svelte'),
  },
  desk: {
    path: /^desk$/,
    roles: ['HOST_DESK'],
    menu: 'desk',
    load: () => import('./pages/desk/Desk.svelte'),
  },
  visum: {
    path: /^trips\/(?<id>[0-9a-f-]{36})\/visum$/,
    load: () => import('./pages/visum/Visum.svelte'),
  },
  escalations: {
    path: /^escalations$/,
    roles: ['INSPECTOR'],
    menu: 'escalations',
    load: () => import('./pages/escalations/Escalations.svelte'),
  },
  claims: {
    path: /^claims$/,
    roles: ['TREASURER'],
    menu: 'claims',
    load: () => import('./pages/claims/Claims.svelte'),
  },
  people: {
    path: /^people$/,
    roles: ADMINS,
    menu: 'manage',
    load: () => import('./pages/people/People.svelte'),
  },
  person: {
    path: /^people\/(?<id>[0-9a-f-]{36})$/,
    roles: ADMINS,
    load: () => import('./pages/people/Person.svelte'),
  },
  offices: {
    path: /^offices$/,
    roles: ADMINS,
    load: () => import('./pages/offices/Offices.svelte'),
  },
  devices: {
    path: /^devices$/,
    roles: ADMINS,
    load: () => import('./pages/devices/Devices.svelte'),
  },
  sharing: { path: /^sharing$/, load: () => import('./pages/sharing/Sharing.svelte') },
  rates: { path: /^rates$/, load: () => import('./pages/rates/Rates.svelte') },
  rules: { path: /^rules$/, load: () => import('./pages/rules/Rules.svelte') },
  'rules/new': {
    path: /^rules\/new$/,
    roles: ADMINS,
    load: () => import('./pages/rules/RulesForm.svelte'),
  },
};
const OF_PROVINCE: Record<string, View> = {
  '': {
    path: /^$/,
    roles: ['OVERSEER'],
    menu: 'regencies',
    load: () => import('./province/regencies/Regencies.svelte'),
  },
  ranking: {
    path: /^ranking$/,
    roles: ['OVERSEER'],
    menu: 'ranking',
    load: () => import('./province/ranking/Ranking.svelte'),
  },
  cases: {
    path: /^cases$/,
    roles: ['OVERSEER'],
    menu: 'deviations',
    load: () => import('./province/cases/Cases.svelte'),
  },
  case: {
    path: /^cases\/(?<id>[0-9a-f-]{36})$/,
    roles: ['OVERSEER'],
    load: () => import('./province/case/SharedCase.svelte'),
  },
  escalations: {
    path: /^escalations$/,
    roles: ['OVERSEER'],
    menu: 'escalations',
    load: () => import('./province/escalations/Questions.svelte'),
  },
  overlaps: {
    path: /^overlaps$/,
    roles: ['OVERSEER'],
    menu: 'overlaps',
    load: () => import('./province/overlaps/Overlaps.svelte'),
  },
  sharing: {
    path: /^sharing$/,
    roles: ['OVERSEER'],
    menu: 'sharing',
    load: () => import('./province/sharing/Sharing.svelte'),
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
    view.menu && allowed(view, viewer) ? [{ path, label: view.menu, count: view.count }] : [],
  );

/** Where a viewer begins. */
export function home(viewer: Viewer): string {
  if (realm.isProvince) return '';
  if (viewer.roles.every((role) => role === 'TRAVELLER')) return 'mine';
  if (viewer.roles.includes('INSPECTOR')) return 'deviations';
  if (viewer.roles.includes('HEAD_OF_OFFICE')) return 'today';
  if (viewer.roles.includes('TREASURER')) return 'claims';
  if (viewer.roles.includes('HOST_DESK')) return 'desk';
  return viewer.roles.includes('TENANT_ADMIN') ? 'people' : 'trips';
}
