/** A member as the tour sees it: a child process that is asked to do things. */

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { News, Tasks } from './member.ts'
import type { ChildProcess } from 'node:child_process'

type Answer = { news: News } | { result: object } | { error: string }

export class Member {
  readonly name: string
  readonly #child: ChildProcess

  constructor (name: string) {
    this.name = name
    this.#child = fork(fileURLToPath(new URL('./member.ts', import.meta.url)), { stdio: 'inherit' })
  }

  /** Asks for something, and resolves with the answer. */
  async ask<Task extends keyof Tasks> (task: Task, init: Tasks[Task][0], onNews?: (news: News) => void): Promise<Tasks[Task][1]> {
    return new Promise((resolve, reject) => {
      const end = (then: () => void): void => {
        this.#child.off('message', onMessage)
        this.#child.off('exit', onExit)
        then()
      }
      const onMessage = (answer: Answer): void => {
        if ('news' in answer) {
          onNews?.(answer.news)
        } else if ('error' in answer) {
          end(() => { reject(new Error(`${this.name} could not ${task}: ${answer.error}`)) })
        } else {
          end(() => { resolve(answer.result) })
        }
      }
      const onExit = (): void => { end(() => { reject(new Error(`${this.name} is gone`)) }) }

      this.#child.on('message', onMessage)
      this.#child.on('exit', onExit)
      this.#child.send({ task, init })
    })
  }

  /** Ends the process at once, as a power cut would. */
  async kill (): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Stops the node and lets the process end. */
  async stop (): Promise<void> {
    if (this.#child.exitCode == null && this.#child.signalCode == null) {
      await this.ask('stop', {}).catch(() => {})
      await this.#end('SIGTERM')
    }
  }

  async #end (signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode == null && this.#child.signalCode == null) {
      const gone = new Promise(resolve => { this.#child.once('exit', resolve) })
      this.#child.kill(signal)
      await gone
    }
  }
}
