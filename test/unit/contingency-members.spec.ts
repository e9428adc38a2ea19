import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { expect } from 'chai'
import { TypedEventEmitter } from 'main-event'
import { Members } from '../../src/contingency/members.ts'
import type { ContingencyMember, ContingencyMembership } from '../../src/contingency/index.ts'

describe('contingency: members', () => {
  let peer: ContingencyMember
  let said: string[]
  let events: TypedEventEmitter<Record<string, CustomEvent<{ member: ContingencyMember }>>>
  let members: Members

  beforeEach(async () => {
    const peerId = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    peer = { peerId, state: 'alive', self: false, storage: 1e9, light: false, hidden: false, epoch: 100, addresses: [] }
    said = []
    events = new TypedEventEmitter()
    const membership = Object.assign(events, { members: () => [{ ...peer, self: true }, peer] }) as unknown as ContingencyMembership
    members = new Members({ membership, onMember: (_, state, weight) => { said.push(weight > 0 ? state : `${state}, no room`) } })
    members.start()
  })

  afterEach(() => { members.stop() })

  function happens (type: string, change: Partial<ContingencyMember>): string[] {
    said = []
    events.safeDispatchEvent(type, { detail: { member: { ...peer, ...change } } })

    return said
  }

  it('are told of who is there, but not of this node', () => {
    expect(said).to.deep.equal(['alive'])
    expect(happens('member:updated', { self: true })).to.deep.equal([])
  })

  it('are told of all that becomes of them', () => {
    expect(happens('member:suspected', { state: 'suspected' })).to.deep.equal(['suspected'])
    expect(happens('member:recovered', {})).to.deep.equal(['alive'])
    expect(happens('member:updated', { storage: 0 })).to.deep.equal(['alive, no room'])
    expect(happens('member:down', { state: 'down' })).to.deep.equal(['down'])
    expect(happens('member:joined', { epoch: 200 })).to.deep.equal(['alive'])
    expect(happens('member:left', { state: 'left', epoch: 200 })).to.deep.equal(['left'])
  })

  it('were gone when they are back before anybody noticed', () => {
    expect(happens('member:updated', { epoch: 101 })).to.deep.equal(['down', 'alive'])
    expect(happens('member:updated', { epoch: 101 })).to.deep.equal(['alive'])
    // what is heard late changes nothing
    expect(happens('member:updated', { epoch: 100 })).to.deep.equal(['alive'])
  })

  it('are not listened to any more when it stops', () => {
    members.stop()
    expect(happens('member:down', { state: 'down' })).to.deep.equal([])
  })
})
