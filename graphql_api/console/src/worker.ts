/// <reference lib="webworker" />
// Served as /{realm}/worker.js: it keeps the console's page of one realm and what that page loads,
// so that it opens without a network. No answer of the service ever passes through it.

export {};

declare const self: ServiceWorkerGlobalScope;
/** Written by vite.config.ts: the files that the page may need, and a name for all of them. */
declare const __SHELL__: { version: string; files: string[] };

const SHELL = __SHELL__;
const PAGE = self.registration.scope;
const OURS = `jejak ${PAGE} `;
const NOW = OURS + SHELL.version;
/** A network that does not answer in time is none. */
const PATIENCE = 5_000;
const ELSEWHERE = ['login', 'callback', 'logout', 'graphiql'].map(
  (name) => new URL(name, PAGE).pathname,
);

self.addEventListener('install', (event) => {
  const files = [new Request(PAGE, { cache: 'reload' }), ...SHELL.files];
  event.waitUntil(
    caches
      .open(NOW)
      .then((cache) => cache.addAll(files))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) =>
        Promise.all(
          names
            .filter((name) => name.startsWith(OURS) && name !== NOW)
            .map((name) => caches.delete(name)),
        ),
      )
      .then(() => self.clients.claim()),
  );
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== self.location.origin) return;
  if (request.mode === 'navigate') {
    if (!ELSEWHERE.includes(pathname)) event.respondWith(page(request));
  } else if (pathname.startsWith('/console/')) event.respondWith(file(request));
});

/** From the network, so that a new version is never missed; from here when there is none. */
async function page(request: Request): Promise<Response> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), PATIENCE);
  try {
    const answer = await fetch(request, { signal: late.signal });
    if (answer.status < 500) return answer;
    return (await here(PAGE)) ?? answer;
  } catch {
    return (await here(PAGE)) ?? Response.error();
  } finally {
    clearTimeout(timer);
  }
}

/** Files are named after their content: one that is here is the right one. */
async function file(request: Request): Promise<Response> {
  const known = await here(request);
  if (known) return known;
  const answer = await fetch(request);
  if (answer.ok) {
    const cache = await caches.open(NOW);
    await cache.put(request, answer.clone());
  }
  return answer;
}

const here = async (what: RequestInfo): Promise<Response | undefined> =>
  (await caches.open(NOW)).match(what, { ignoreVary: true });
