import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

const ASSETS = 'dist/assets';
// The highest takes ten times as long for a twentieth.
const QUALITY = { [constants.BROTLI_PARAM_QUALITY]: 9 };

/** Beside each file its Brotli form, made once here instead of at each request. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    closeBundle() {
      for (const name of readdirSync(ASSETS)) {
        const path = `${ASSETS}/${name}`;
        writeFileSync(`${path}.br`, brotliCompressSync(readFileSync(path), { params: QUALITY }));
      }
    },
  };
}

export default defineConfig({
  base: '/console/',
  plugins: [svelte(), compressed()],
  resolve: { alias: { '@': fileURLToPath(new URL('src', import.meta.url)) } },
  worker: { format: 'es' },
  build: {
    target: 'es2023',
    // A data: address in a style sheet would need a hole in the Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
});
