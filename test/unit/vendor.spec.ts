import { basename, join } from 'node:path'
import { expect } from 'chai'
import { importsOf } from '../lint/imports.ts'
import { packageOf } from '../lint/layers.ts'
import { files, packageJson, read, ROOT } from '../lint/project.ts'
import { patched } from '../../src/vendor/patches.ts'
import type { kadDHT, KadDHTComponents, KadDHTInit, passthroughMapper } from '#kad-dht'
import type { Gauge, prometheusMetrics, Registry } from '#prometheus'
import type { webRTC, WebRTCComponents, webRTCDirect, WebRTCDirectInit, WebRTCInit } from '#webrtc'
import type * as originalDht from '@libp2p/kad-dht'
import type * as originalMetrics from '@libp2p/prometheus-metrics'
import type * as original from '@libp2p/webrtc'
import type * as prometheus from 'prom-client'

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
  Takes<ReturnType<ReturnType<typeof original.webRTCDirect>>['dial'], ReturnType<ReturnType<typeof webRTCDirect>>['dial']>,
  Takes<originalDht.KadDHTInit, KadDHTInit>,
  Takes<originalDht.KadDHTComponents, KadDHTComponents>,
  Takes<ReturnType<typeof kadDHT>, ReturnType<typeof originalDht.kadDHT>>,
  Takes<typeof passthroughMapper, typeof originalDht.passthroughMapper>,
  Takes<Parameters<ReturnType<typeof originalMetrics.prometheusMetrics>>, Parameters<ReturnType<typeof prometheusMetrics>>>,
  Takes<Pick<Registry, keyof Registry>, Pick<prometheus.Registry, keyof Registry>>,
  Takes<Pick<Gauge, 'set' | 'reset'>, Pick<prometheus.Gauge, 'set' | 'reset'>>
]

describe('vendored packages', () => {
  const packagesOf = (file: string): string[] => importsOf(join(ROOT, 'dist/vendor', file))
    .map(({ specifier }) => packageOf(specifier))

  it('import what we depend on alone', () => {
    const imported = files('dist/vendor/*.js').flatMap(file => packagesOf(basename(file))).filter(name => !name.startsWith('node:'))

    expect(imported).to.include('@libp2p/interface')
    expect(imported.filter(name => !Object.hasOwn(packageJson.dependencies, name))).to.deep.equal([])
  })

  it('import nothing of Node for browsers', () => {
    const forBrowsers = ['kad-dht.browser.js', 'webrtc.browser.js'].flatMap(packagesOf)

    expect(packagesOf('webrtc.js')).to.include.members(['node:crypto', 'node-datachannel'])
    expect(forBrowsers).to.include('@libp2p/interface')
    expect(forBrowsers.filter(name => /^node[:-]/.test(name))).to.deep.equal([])
  })

  it('hold nothing that makes certificates, nor anything for React Native', () => {
    const text = files('dist/vendor/*.js').map(read).join('\n')

    expect(text).to.include('libp2p:webrtc-direct')
    expect(text).to.not.match(/peculiar|react-native|reflect-metadata/i)
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
