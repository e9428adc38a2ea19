/**
 * How vite builds the page: `npx vite build examples/page` writes it to
 * `dist/`, as files that any web server can give away.
 *
 * @module
 */

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const page = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

export default defineConfig({
  root: page('.'),
  // found wherever the page is put
  base: './',
  logLevel: 'warn',
  build: {
    target: 'es2024',
    rollupOptions: {
      input: { index: page('index.html'), 'play-worker': page('play-worker.ts') },
      // a service worker answers for the folder it lies in, and is known by its name
      output: { entryFileNames: ({ name }) => name === 'play-worker' ? '[name].js' : 'assets/[name]-[hash].js' }
    }
  }
})
