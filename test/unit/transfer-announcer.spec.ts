import { defaultLogger } from '@libp2p/logger'
import { expect } from 'chai'
import { CID } from 'multiformats/cid'
import { Announcer } from '../../src/transfer/announcer.ts'
import { until } from '../fixtures/until.ts'

const ONE = CID.parse('bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku')
const OTHER = CID.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy')

describe('transfer: announcer', () => {
  let announced: CID[]
  let withdrawn: CID[]
  let announcing: () => Promise<void>
  let announcer: Announcer

  beforeEach(() => {
    announced = []
    withdrawn = []
    announcing = async () => {}
    announcer = new Announcer({
      announce: async cid => {
        announced.push(cid)
        await announcing()
      },
      withdraw: async cid => { withdrawn.push(cid) },
      isBusy: () => false,
      log: defaultLogger().forComponent('test')
    })
    announcer.start()
  })

  afterEach(() => {
    announcer.stop()
  })

  it('withdraws what was announced: it would be announced again for ever', async () => {
    announcer.add(ONE)
    announcer.add(OTHER)
    await until(() => announced.length === 2)
    announcer.remove(ONE)

    expect(withdrawn).to.deep.equal([ONE])
  })

  const ENDS: Array<[string, (end: PromiseWithResolvers<void>) => void]> = [
    ['succeeds', ({ resolve }) => { resolve() }],
    ['fails: some may have been told', ({ reject }) => { reject(new Error('Nobody answers')) }]
  ]

  for (const [what, end] of ENDS) {
    it(`withdraws what is removed while it is being announced, when that ${what}`, async () => {
      const ended = Promise.withResolvers<void>()
      announcing = async () => ended.promise
      announcer.add(ONE)
      await until(() => announced.length === 1)
      announcer.remove(ONE)
      expect(withdrawn).to.deep.equal([])
      end(ended)
      await until(() => withdrawn.length === 1)
      announcer.add(OTHER)
      await until(() => announced.length === 2)
      expect(announced).to.deep.equal([ONE, OTHER])
    })
  }

  it('does not announce what was there for a moment, and withdraws it all the same: an earlier run may have announced it', async () => {
    announcer.add(ONE)
    announcer.add(OTHER)
    announcer.remove(ONE)
    await until(() => announced.length > 0)

    expect(announced).to.deep.equal([OTHER])
    expect(withdrawn).to.deep.equal([ONE])
  })

  it('withdraws what is removed when it announces no more', async () => {
    announcer.stop()
    announcer.remove(ONE)
    expect(withdrawn).to.deep.equal([ONE])
  })
})
