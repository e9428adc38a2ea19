/**
 * What Formicary adds to what a page has to load.
 *
 * @module
 */

import { BARE_NODE, bundleForBrowser, FORMICARY } from '../fixtures/browser-bundle.ts'
import type { Benchmark } from './contest.ts'

/** What Formicary may add, in KiB. */
const GOAL = 64

export const bundle: Benchmark = {
  title: 'a bundle for pages (esbuild, minified, gzip -9)',

  async run ({ log }) {
    const [ours, bare] = await Promise.all([bundleForBrowser(FORMICARY), bundleForBrowser(BARE_NODE)])
    const added = (ours.size - bare.size) / 1024
    const largest = [...ours.parts].sort(([, a], [, b]) => b - a).slice(0, 12)
    log(`before compression: ${largest.map(([name, size]) => `${name} ${kib(size)}`).join(', ')}`)

    return [{
      what: 'createNode() against a libp2p node with the same transports and DHT',
      ours: kib(ours.size),
      reference: kib(bare.size),
      result: `${kib(ours.size - bare.size)} more`,
      goal: `at most ${GOAL} KiB more`,
      met: added <= GOAL
    }, {
      what: 'of that, loaded before createNode() runs; the DHT comes later',
      ours: kib(ours.first),
      reference: kib(bare.first),
      result: '',
      goal: ''
    }]
  }
}

function kib (bytes: number): string {
  return `${(bytes / 1024).toFixed(1)} KiB`
}
