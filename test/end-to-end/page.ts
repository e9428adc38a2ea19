/**
 * What the pages of the end-to-end tests are made of: it puts the library where
 * `page.evaluate()` finds it.
 *
 * @module
 */

import { createNode } from '../../src/index.ts'

/** What is on `globalThis` in a page. */
export interface PageGlobals {
  formicary: typeof formicary
}

const formicary = { createNode }

Object.assign(globalThis, { formicary })
