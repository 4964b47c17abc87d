import { at, realm } from './realm';

const here = (): string => location.pathname.slice(`/${realm.slug}/`.length);

let path = $state(here());
addEventListener('popstate', () => {
  path = here();
});

export const route = {
  /** What follows /{realm}/ in the address. */
  get path(): string {
    return path;
  },
};

/** The view whose page alone is served with leave to use the camera. */
const APART = at('desk');

/** Show another view; `replace` leaves no way back to this one. */
export function go(href: string, replace = false): void {
  const { pathname } = new URL(href, location.href);
  if ((pathname === APART) !== (location.pathname === APART)) {
    if (replace) location.replace(href);
    else location.assign(href);
    return;
  }
  if (replace) history.replaceState(null, '', href);
  else history.pushState(null, '', href);
  path = here();
  scrollTo(0, 0);
}

/** Follow links to other views without loading the page anew. */
export function follow(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const ours = link.origin === location.origin && link.pathname.startsWith(`/${realm.slug}/`);
  if (!ours || link.target || link.dataset.leave !== undefined) return;
  event.preventDefault();
  if (link.href !== location.href) go(link.href);
}
