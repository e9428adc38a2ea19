import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { expect } from 'chai'
import { createNode, importIdentity } from '../../src/index.ts'
import { failure } from '../fixtures/failure.ts'

const PASSPHRASE = 'a long passphrase'
const quiet = { listen: [], start: false }

describe('a node and its identity', function () {
  this.timeout(60_000)

  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'formicary-identity-'))
  })

  afterEach(async () => {
    await rm(folder, { recursive: true })
  })

  it('is the same on another device, and after a restart there', async () => {
    const first = await createNode({ ...quiet, dataDir: join(folder, 'old') })
    const identity = await importIdentity(await first.exportIdentity(PASSPHRASE), PASSPHRASE)
    const other = await createNode({ ...quiet, dataDir: join(folder, 'new'), identity })
    const again = await createNode({ ...quiet, dataDir: join(folder, 'new') })

    expect([other, again].map(({ peerId }) => String(peerId))).to.deep.equal([String(first.peerId), String(first.peerId)])
  })

  it('does not take the place of another, and changes nothing', async () => {
    const first = await createNode({ ...quiet, dataDir: folder })
    const error = await failure(createNode({ ...quiet, dataDir: folder, identity: await generateKeyPair('Ed25519') }))
    const again = await createNode({ ...quiet, dataDir: folder })

    expect(error).to.have.property('name', 'InvalidParametersError')
    expect(error).to.have.property('message').that.includes('another identity')
    expect(String(again.peerId)).to.equal(String(first.peerId))
  })

  it('needs no dataDir', async () => {
    const identity = await generateKeyPair('Ed25519')
    const node = await createNode({ ...quiet, identity })

    expect(node.peerId.publicKey?.equals(identity.publicKey)).to.equal(true)
    expect((await importIdentity(await node.exportIdentity(PASSPHRASE), PASSPHRASE)).equals(identity)).to.equal(true)
  })

  it('may be given among the settings of libp2p', async () => {
    const privateKey = await generateKeyPair('Ed25519')
    const node = await createNode({ ...quiet, libp2p: { privateKey } })

    expect((await importIdentity(await node.exportIdentity(PASSPHRASE), PASSPHRASE)).equals(privateKey)).to.equal(true)
  })

  it('is refused if it is none', async () => {
    expect(await failure(createNode({ ...quiet, dataDir: folder, identity: 'key' as any }))).to.have.property('name', 'InvalidParametersError')
  })
})
