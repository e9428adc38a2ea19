import { join } from 'node:path'
import { expect } from 'chai'
import { importsOf } from '../lint/imports.ts'
import { packageOf } from '../lint/layers.ts'
import { ROOT } from '../lint/project.ts'
import { patched } from '../../src/vendor/patches.ts'
import type { webRTC, WebRTCComponents, webRTCDirect, WebRTCDirectInit, WebRTCInit } from '#webrtc'
import type * as original from '@libp2p/webrtc'

/** Compiles if ours can stand where theirs is expected. */
type Takes<Theirs, _Ours extends Theirs> = true

/** Theirs is given a certificate, ours asks for one; nothing else is different. */
type Direct = Omit<original.WebRTCTransportDirectInit, 'certificate'>

/** Does not compile when our types have left those of the original. */
export type Typed = [
  Takes<original.WebRTCTransportInit, WebRTCInit>,
  Takes<original.WebRTCTransportComponents, WebRTCComponents>,
  Takes<Direct, Omit<WebRTCDirectInit, 'certificate'>>,
  Takes<original.TransportCertificate, Awaited<ReturnType<NonNullable<WebRTCDirectInit['certificate']>>>>,
  Takes<ReturnType<typeof original.webRTC>, ReturnType<typeof webRTC>>,
  Takes<ReturnType<ReturnType<typeof original.webRTCDirect>>['dial'], ReturnType<ReturnType<typeof webRTCDirect>>['dial']>
]

describe('vendored WebRTC', () => {
  const packagesOf = (file: string): string[] => importsOf(join(ROOT, 'dist/vendor', file))
    .map(({ specifier }) => packageOf(specifier))

  it('imports nothing for certificates, nor for React Native', () => {
    const unwanted = /^@peculiar|^reflect-metadata|^react-native|keychain/

    expect([...packagesOf('webrtc.js'), ...packagesOf('webrtc.browser.js')].filter(name => unwanted.test(name))).to.deep.equal([])
  })

  it('imports nothing of Node for browsers', () => {
    expect(packagesOf('webrtc.js')).to.include('node:crypto')
    expect(packagesOf('webrtc.browser.js').filter(name => /^node:|^node-/.test(name))).to.deep.equal([])
  })
})

describe('patches', () => {
  it('replace a text', () => {
    expect(patched('one two three', [{ from: 'two ', to: '' }, { from: 'three', to: '3' }])).to.equal('one 3')
  })

  it('replace all up to another text', () => {
    expect(patched('{ a } b { c }', [{ from: 'a', until: 'c', to: 'x ' }])).to.equal('{ x c }')
  })

  const UNEXPECTED = [
    ['is not there', { from: 'four', to: '' }],
    ['is there twice', { from: 'o', to: '' }],
    ['has no end', { from: 'two', until: 'one', to: '' }]
  ] as const

  for (const [what, patch] of UNEXPECTED) {
    it(`throw when the text ${what}`, () => {
      expect(() => patched('one two', [patch])).to.throw(/^Expected to find once/)
    })
  }
})
