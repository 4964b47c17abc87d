import { at } from '@/realm';

export const installed = $state({
  /** A newer version has come while this page was open. */
  anew: false,
});

/** Keep the page for when there is no network; a newer one is looked for each time it is seen. */
export function registered(): void {
  const { serviceWorker } = navigator;
  const before = serviceWorker.controller;
  serviceWorker.addEventListener('controllerchange', () => {
    installed.anew = before !== null;
  });
  serviceWorker.register(at('worker.js')).then(
    (registration) => {
      document.addEventListener('visibilitychange', () => {
        if (!document.hidden) registration.update().catch(() => {});
      });
    },
    () => {},
  );
}
