/**
 * Which specs a browser can run: what they import decides.
 *
 * @module
 */

import { files } from '../lint/project.ts'
import { bundle } from './bundle.ts'
import type { Bundle, NodeUse } from './bundle.ts'

/** Folders of specs that run wherever what they import does. */
const FOLDERS = 'unit,service,vectors,integration,simulation'

/** Specs, told apart. */
export interface BrowserSpecs {
  /** Those that a browser can run, and what else was asked for. */
  bundle: Bundle
  specs: string[]

  /** The others, each with all that it needs of Node. */
  nodeOnly: Map<string, NodeUse[]>
}

/** All specs that are for browsers, or for any platform. */
export function candidates (): string[] {
  return files('test/browser/**/*.spec.ts', `test/{${FOLDERS}}/**/*.spec.ts`)
}

/**
 * Bundles those of the specs that reach nothing of Node.
 *
 * @param others - modules to bundle with them
 * @throws {Error} something is imported that does not exist
 */
export async function bundleSpecs (all: string[], others: string[] = []): Promise<BrowserSpecs> {
  const { nodeUses: own } = await bundle(all, 'external')
  const reachesNode = (uses: Map<string, NodeUse[]>, spec: string): boolean => (uses.get(spec) ?? []).length > 0
  const rest = all.filter(spec => !reachesNode(own, spec))
  const bundled = await bundle([...rest, ...others])
  const uses = new Map([...own, ...bundled.nodeUses])

  return {
    bundle: bundled,
    specs: rest.filter(spec => !reachesNode(uses, spec)),
    nodeOnly: new Map(all.filter(spec => reachesNode(uses, spec)).map(spec => [spec, uses.get(spec) as NodeUse[]]))
  }
}

/** Such as `node:fs (test/unit/house.spec.ts → test/lint/project.ts)`. */
export function describeUse ({ what, through }: NodeUse): string {
  return `${what} (${through.join(' → ')})`
}
