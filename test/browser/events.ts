/**
 * What the page of the tests tells the process that opened it.
 *
 * @module
 */

/** How the specs are to be run. */
export interface Settings {
  /** Where they are served, by their paths from the top. */
  specs: Array<[spec: string, path: string]>

  /** Ms for a test that sets no other time. */
  timeout: number

  /** Only tests whose full names match. */
  grep?: string

  /** As mocha has them. */
  forbidOnly?: boolean
  forbidPending?: boolean
}

/** A test or a hook. */
export interface TestReport {
  title: string
  titlePath: string[]

  /** Ms. */
  duration?: number
  speed?: string
}

/** An error, with what could not travel as text. */
export interface ErrorReport {
  name: string
  message: string
  stack: string
  actual?: string
  expected?: string
  cause?: ErrorReport
}

/** Something that happened in the page, under mocha's names. */
export type PageEvent =
  | { type: 'start' }
  | { type: 'suite', title: string, root: boolean, spec?: string }
  | { type: 'suite end', root: boolean }
  /** Within `timeout` ms it ends. */
  | { type: 'test' | 'hook', timeout: number }
  | { type: 'test end' }
  | { type: 'pass' | 'pending', test: TestReport }
  | { type: 'fail', test: TestReport, error: ErrorReport }
  | { type: 'end' }
  /** A spec could not be loaded, or has no tests: nothing is run. */
  | { type: 'broken', spec: string, error: ErrorReport }
