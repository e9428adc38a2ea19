import { expect } from 'chai'
import { Driver } from '../../src/driver.ts'
import type { Core } from '../../src/core.ts'

type Input = { type: 'say', word: string } | { type: 'arm', id: string, after: number } | { type: 'fail' } | { type: 'timer', id: string }
type Output = { type: 'heard', word: string, at: number } | { type: 'timer', id: string, after: number }

/** Says back what it is told, and arms timers. */
class Echo implements Core<Input, Output> {
  handle (input: Input, now: number): Output[] {
    switch (input.type) {
      case 'say': return [{ type: 'heard', word: input.word, at: now }]
      case 'timer': return [{ type: 'heard', word: `timer ${input.id}`, at: now }]
      case 'arm': return [{ type: 'timer', id: input.id, after: input.after }]
      case 'fail': throw new Error('The core failed')
    }
  }
}

describe('driver', () => {
  const running: Array<Driver<Input, Output>> = []

  function make (carryOut: (word: string, driver: Driver<Input, Output>) => void, now?: () => number): Driver<Input, Output> {
    const driver = new Driver<Input, Output>({
      core: new Echo(),
      carryOut: outputs => {
        outputs.forEach(output => { carryOut(output.word, driver) })
      },
      ...(now == null ? {} : { now })
    })
    running.push(driver)

    return driver
  }

  afterEach(() => {
    running.splice(0).forEach(driver => { driver.stop() })
  })

  it('carries out what the core answers, at the time of its clock', () => {
    const heard: unknown[] = []
    let now = 5
    const driver = new Driver<Input, Output>({ core: new Echo(), carryOut: outputs => { heard.push(...outputs) }, now: () => now })
    driver.handle({ type: 'say', word: 'a' })
    now = 7
    driver.handle({ type: 'say', word: 'b' })

    expect(heard).to.deep.equal([{ type: 'heard', word: 'a', at: 5 }, { type: 'heard', word: 'b', at: 7 }])
  })

  it('tells the core one thing after another, also what is told while outputs are carried out', () => {
    const heard: string[] = []
    const driver = make((word, driver) => {
      if (word === 'a') {
        driver.handle({ type: 'say', word: 'c' })
        expect(heard).to.deep.equal([])
      }

      heard.push(word)
    })
    driver.handle({ type: 'say', word: 'a' })
    driver.handle({ type: 'say', word: 'b' })

    expect(heard).to.deep.equal(['a', 'c', 'b'])
  })

  it('goes on after the core or an output failed', () => {
    const heard: string[] = []
    const driver = make(word => {
      if (word === 'bad') {
        throw new Error('The output failed')
      }

      heard.push(word)
    })

    expect(() => { driver.handle({ type: 'fail' }) }).to.throw('The core failed')
    expect(() => { driver.handle({ type: 'say', word: 'bad' }) }).to.throw('The output failed')
    driver.handle({ type: 'say', word: 'good' })
    expect(heard).to.deep.equal(['good'])
  })

  it('tells the core when a timer is due, once, and each by its id', async () => {
    const heard: string[] = []
    await new Promise<void>(resolve => {
      const driver = make(word => {
        heard.push(word)

        if (word === 'timer last') {
          resolve()
        }
      })
      driver.handle({ type: 'arm', id: 'first', after: 1 })
      driver.handle({ type: 'arm', id: 'last', after: 30 })
      driver.handle({ type: 'arm', id: 'second', after: 10 })
    })

    expect(heard).to.deep.equal(['timer first', 'timer second', 'timer last'])
  })

  it('replaces a timer by a later one with the same id', async () => {
    const heard: string[] = []
    await new Promise<void>(resolve => {
      const driver = make(word => {
        heard.push(word)

        if (word === 'timer end') {
          resolve()
        }
      })
      driver.handle({ type: 'arm', id: 'tick', after: 1 })
      driver.handle({ type: 'arm', id: 'tick', after: 10 })
      driver.handle({ type: 'arm', id: 'end', after: 40 })
    })

    expect(heard).to.deep.equal(['timer tick', 'timer end'])
  })

  it('tells the core nothing after it was stopped, not even what was waiting', async () => {
    const heard: string[] = []
    const driver = make((word, driver) => {
      heard.push(word)
      driver.handle({ type: 'say', word: 'waiting' })
      driver.stop()
    })
    driver.handle({ type: 'arm', id: 'tick', after: 1 })
    driver.handle({ type: 'say', word: 'a' })
    driver.handle({ type: 'say', word: 'late' })
    await new Promise(resolve => { setTimeout(resolve, 20) })

    expect(heard).to.deep.equal(['a'])
  })

  it('has every input counted, and every output but timers, before it is carried out', async () => {
    const steps: string[] = []
    await new Promise<void>(resolve => {
      const driver = new Driver<Input, Output>({
        core: new Echo(),
        carryOut: outputs => {
          outputs.forEach(({ word }) => { steps.push(`did ${word}`) })

          if (outputs[0].word === 'timer tick') {
            resolve()
          }
        },
        metrics: { input: ({ type }) => { steps.push(`in ${type}`) }, output: ({ type }) => { steps.push(`out ${type}`) } }
      })
      running.push(driver)
      driver.handle({ type: 'say', word: 'a' })
      driver.handle({ type: 'arm', id: 'tick', after: 1 })
    })

    expect(steps).to.deep.equal(['in say', 'out heard', 'did a', 'in arm', 'in timer', 'out heard', 'did timer tick'])
  })

  it('has nothing counted after it was stopped', () => {
    const steps: string[] = []
    const driver = new Driver<Input, Output>({ core: new Echo(), carryOut: () => {}, metrics: { input: ({ type }) => { steps.push(type) } } })
    driver.handle({ type: 'say', word: 'a' })
    driver.stop()
    driver.handle({ type: 'say', word: 'late' })

    expect(steps).to.deep.equal(['say'])
  })

  it('arms no timer that the core asks for in answer to its last input', async () => {
    const heard: string[] = []
    const driver = make(word => { heard.push(word) })
    driver.stop()
    driver.handle({ type: 'arm', id: 'tick', after: 1 })
    await new Promise(resolve => { setTimeout(resolve, 20) })

    expect(heard).to.deep.equal([])
  })
})
