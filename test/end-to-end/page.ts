/**
 * What the pages of the end-to-end tests are made of: it puts the library where
 * `page.evaluate()` finds it, and a member that can be told what to do.
 *
 * @module
 */

import { createNode } from '../../src/index.ts'
import { Member } from './member.ts'

/** What is on `globalThis` in a page. */
export interface PageGlobals {
  formicary: typeof formicary
  member: Member
}

const formicary = { createNode }

Object.assign(globalThis, { formicary, member: new Member() })
