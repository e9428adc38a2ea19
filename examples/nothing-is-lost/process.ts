/** A member as the story sees it: a process that is asked to do things, and tells what happens. */

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { News, Task } from './member.ts'
import type { ChildProcess } from 'node:child_process'

export class Member {
  readonly #process: ChildProcess
  readonly #ended: Promise<void>
  #address = ''

  private constructor (name: string, bootstrap: string, key: string) {
    this.#process = fork(fileURLToPath(new URL('./member.ts', import.meta.url)), [name, bootstrap, key])
    this.#ended = new Promise(resolve => { this.#process.once('exit', () => { resolve() }) })
  }

  /** Begins a member that knows one other, with a key of its own or the one given. */
  static async start (name: string, known?: Member, key = ''): Promise<Member> {
    const member = new Member(name, known == null ? '' : known.#address, key)
    member.#address = await member.next('here')

    return member
  }

  /** Waits for something to happen there, and gives what is told of it. */
  async next (type: News['type']): Promise<string> {
    return new Promise((resolve, reject) => {
      const onNews = (news: News): void => {
        if (news.type === type || news.type === 'failed') {
          this.#process.off('message', onNews)

          if (news.type === type) {
            resolve(news.text)
          } else {
            reject(new Error(news.text))
          }
        }
      }

      this.#process.on('message', onNews)
      void this.#ended.then(() => { reject(new Error(`The process ended before "${type}"`)) })
    })
  }

  /** Asks for something, and gives the answer. */
  async ask (task: Task): Promise<string> {
    const answer = this.next(task)
    this.#process.send(task)

    return answer
  }

  /** Lets it stop properly. */
  async leave (): Promise<void> {
    this.#process.send('leave')
    await this.#ended
  }

  /** Ends it at once, as a power cut would: there is no time to say anything. */
  async kill (): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended
  }
}
