/**
 * What is counted of a service, for libp2p's `metrics`; without that component,
 * nothing. It is taken from what a core is told and what it answers: no core
 * knows of it.
 *
 * Counters are added to, never calculated: implementations differ in whether a
 * calculated one gives the sum, or what is new since it was read.
 *
 * @module
 */

import type { Metrics } from '@libp2p/interface'

/** An input or an output of a core, as far as it is counted. */
export interface Step {
  type: string
  message?: { type: string }
  event?: { type: string }
}

/** Counts what a core is told, and what it answers. */
export interface CoreMetrics {
  input (step: Step): void
  output? (step: Step): void
}

/** Adds 1, or `by`, to the counter of a kind, if there is one. */
export type Count = (kind: string | undefined, by?: number) => void

/**
 * A counter for each kind of something. Asking again for the same one, as after
 * a restart, is all right.
 *
 * @param name - what is counted, without `formicary_` and `_total`
 * @param label - what tells the kinds apart; there have to be few
 */
export function counter (metrics: Metrics | undefined, name: string, label = 'type'): Count | undefined {
  const group = metrics?.registerCounterGroup(`formicary_${name}_total`, { label })

  return group && ((kind, by = 1) => {
    if (kind != null) {
      group.increment({ [kind]: by })
    }
  })
}

/** Counts the messages and the events of a core, by their type. */
export function messageMetrics (metrics: Metrics | undefined, service: string): CoreMetrics | undefined {
  const received = counter(metrics, `${service}_messages_received`)
  const sent = counter(metrics, `${service}_messages_sent`)
  const events = counter(metrics, `${service}_events`)

  return received && {
    input: ({ message }) => { received(message?.type) },
    output: ({ message, event }) => {
      sent?.(message?.type)
      events?.(event?.type)
    }
  }
}

/** Counts the inputs of a core that has no messages as such, by their type. */
export function inputMetrics (metrics: Metrics | undefined, service: string): CoreMetrics | undefined {
  const input = counter(metrics, `${service}_inputs`)

  return input && { input: ({ type }) => { input(type) } }
}
