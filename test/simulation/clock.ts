/**
 * A virtual clock: what is to happen, in the order in which it will.
 *
 * @module
 */

interface Task {
  time: number
  order: number
  run: () => void
}

/** Time in ms that passes only from one task to the next. */
export class Clock {
  now = 0

  /** A binary heap, the earliest first. */
  readonly #tasks: Task[] = []
  #order = 0

  /** Plans something; what is planned for the same time happens in the order it was planned. */
  at (time: number, run: () => void): void {
    const tasks = this.#tasks
    const task = { time: Math.max(time, this.now), order: this.#order++, run }
    let i = tasks.push(task) - 1

    for (let up = (i - 1) >> 1; i > 0 && before(task, tasks[up]); i = up, up = (i - 1) >> 1) {
      tasks[i] = tasks[up]
    }

    tasks[i] = task
  }

  after (ms: number, run: () => void): void {
    this.at(this.now + ms, run)
  }

  /** Lets time pass while `busy`; `false` if nothing is left to happen before `limit`. */
  run (busy: () => boolean, limit: number): boolean {
    while (busy()) {
      const task = this.#pop()

      if (task === undefined || task.time > limit) {
        return false
      }

      this.now = task.time
      task.run()
    }

    return true
  }

  #pop (): Task | undefined {
    const tasks = this.#tasks
    const first = tasks[0] as Task | undefined
    const last = tasks.pop()

    if (last !== undefined && tasks.length > 0) {
      let i = 0

      for (let down = 1; down < tasks.length; down = 2 * i + 1) {
        const child = down + 1 < tasks.length && before(tasks[down + 1], tasks[down]) ? down + 1 : down

        if (!before(tasks[child], last)) {
          break
        }

        tasks[i] = tasks[child]
        i = child
      }

      tasks[i] = last
    }

    return first
  }
}

function before (a: Task, b: Task): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order)
}
