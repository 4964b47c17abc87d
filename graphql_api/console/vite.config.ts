import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

const ASSETS = 'dist/assets';
// The highest takes ten times as long for a twentieth.
const QUALITY = { [constants.BROTLI_PARAM_QUALITY]: 9 };
const WORKER = 'worker.js';

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

/** The service worker is told which files a page may need; the map is kept once it was shown. */
function shell(): Plugin {
  return {
    name: 'shell',
    enforce: 'post',
    generateBundle(_options, bundle) {
      const needed = new Set<string>();
      const need = (name: string): void => {
        const file = bundle[name];
        if (file?.type !== 'chunk' || needed.has(name) || isOfMap(file.moduleIds)) return;
        needed.add(name);
        for (const style of file.viteMetadata?.importedCss ?? []) needed.add(style);
        for (const further of [...file.imports, ...file.dynamicImports]) need(further);
      };
      for (const file of Object.values(bundle))
        if (file.type === 'chunk' && file.isEntry && file.name === 'main') need(file.fileName);
      const files = [...needed].sort().map((name) => `/console/${name}`);
      const worker = bundle[WORKER];
      if (worker?.type !== 'chunk') throw new Error('no service worker');
      const version = createHash('sha256').update(files.join()).digest('hex').slice(0, 12);
      worker.code = worker.code.replace('__SHELL__', JSON.stringify({ version, files }));
    },
  };
}

const isOfMap = (sources: readonly string[]): boolean =>
  sources.some((name) => name.includes('maplibre-gl'));

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export default defineConfig({
  base: '/console/',
  plugins: [svelte(), compressed(), shell()],
  resolve: { alias: { '@': path('src') } },
  worker: { format: 'es' },
  build: {
    target: 'es2023',
    // A data: address in a style sheet would need a hole in the Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
    rolldownOptions: {
      input: {
        main: path('index.html'),
        graphiql: path('graphiql.html'),
        worker: path('src/worker.ts'),
      },
      output: {
        entryFileNames: ({ name }) => (name === 'worker' ? WORKER : 'assets/[name]-[hash].js'),
      },
      checks: { pluginTimings: false },
      // GraphiQL's libraries are marked for frameworks that render at the server too.
      onLog: (level, log, handle) => {
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') handle(level, log);
      },
    },
  },
});
