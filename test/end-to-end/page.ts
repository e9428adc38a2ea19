/**
 * What the pages of the end-to-end tests are made of: it puts the library where
 * `page.evaluate()` finds it.
 *
 * @module
 */

import { memoryStore } from '../../src/store/index.ts'
import { search } from '../../src/search/index.ts'

/** What is on `globalThis` in a page. */
export interface PageGlobals {
  formicary: typeof formicary
}

const formicary = { memoryStore, search }

Object.assign(globalThis, { formicary })
