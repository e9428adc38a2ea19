import { expect } from 'chai'
import { parseHubCommand, USAGE_HUB } from '../../src/cli/hub-options.ts'
import { errorFields, jsonLog } from '../../src/cli/log.ts'
import type { Level } from '../../src/cli/log.ts'
import type { HubInit } from '../../src/node/hub.ts'

describe('the options of formicary hub', () => {
  const good: Array<[string, HubInit, Level?]> = [
    ['', {}],
    ['--network films --name front', { network: 'films', name: 'front' }],
    ['--data x', { dataDir: 'x' }],
    ['--listen /ip4/127.0.0.1/tcp/1 --listen=/ip6/::1/tcp/2/ws', { listen: ['/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/2/ws'] }],
    ['--announce /dns4/hub.example.org/tcp/443/tls/ws', { announce: ['/dns4/hub.example.org/tcp/443/tls/ws'] }],
    ['--bootstrap /dns4/hub-one/tcp/4001', { bootstrap: ['/dns4/hub-one/tcp/4001'] }],
    ['--http off', { http: false }],
    ['--http 0.0.0.0:9090', { http: '0.0.0.0:9090' }],
    ['--http [::1]:0', { http: '[::1]:0' }],
    ['--max-connections 10 --max-reservations 0', { maxConnections: 10, maxReservations: 0 }],
    ['--log debug', {}, 'debug']
  ]

  for (const [line, init, level = 'info'] of good) {
    it(`read: ${line === '' ? 'none' : line}`, () => {
      const command = parseHubCommand(line.split(' ').filter(word => word !== ''))

      expect(JSON.parse(JSON.stringify(command))).to.deep.equal({ init: { dataDir: './formicary-hub', ...init }, level })
    })
  }

  const bad: Array<[string, string]> = [
    ['--port 4001', 'Unknown option \'--port\''],
    ['-x', 'Unknown option \'-x\''],
    ['films', 'Unexpected argument \'films\''],
    ['--listen', 'Option \'--listen <value>\' argument missing'],
    ['--listen --data x', 'Option \'--listen\' argument is ambiguous'],
    ['--listen localhost:4001', 'localhost:4001 is not a multiaddr'],
    ['--announce hub.example.org', 'hub.example.org is not a multiaddr'],
    ['--bootstrap 192.0.2.7', '192.0.2.7 is not a multiaddr'],
    ['--network a/b', 'network should be 1 to 64 letters, digits, ".", "_" or "-", not "a/b"'],
    [`--name=${'x'.repeat(65)}`, 'name should be a string of at most 64 characters'],
    ['--data=', 'dataDir should be a path, not ""'],
    ['--http 4003', 'http should be host:port, not "4003"'],
    ['--http ::1:4003', 'http should be host:port, not "::1:4003"'],
    ['--http localhost:70000', 'http should be host:port, not "localhost:70000"'],
    ['--max-connections 0', 'maxConnections should be a whole number, 1 or more, not 0'],
    ['--max-connections many', '--max-connections should be a whole number, not many'],
    ['--max-reservations -1', 'Option \'--max-reservations\' argument is ambiguous'],
    ['--max-reservations 1.5', '--max-reservations should be a whole number, not 1.5'],
    ['--log loud', '--log should be one of debug, info, warn, error, not loud']
  ]

  for (const [line, fault] of bad) {
    it(`say what is wrong with: ${line}`, () => {
      expect(() => parseHubCommand(line.split(' '))).to.throw(fault).with.property('name', 'InvalidParametersError')
    })
  }

  it('are all in the help', () => {
    expect(parseHubCommand(['--data', 'x', '-h'])).to.equal('help')

    for (const option of ['listen', 'announce', 'bootstrap', 'data', 'network', 'name', 'http', 'max-connections', 'max-reservations', 'log', 'help']) {
      expect(USAGE_HUB).to.match(new RegExp(`^  --${option} `, 'm'))
    }
  })
})

describe('the log', () => {
  it('is one JSON object a line, from a level on', () => {
    const lines: string[] = []
    const log = jsonLog('info', line => { lines.push(line) })
    log('debug', 'nobody needs this')
    log('info', 'one\ntwo', { port: 4001 })
    log('error', 'three')

    expect(lines.every(line => line.indexOf('\n') === line.length - 1)).to.equal(true)
    expect(lines.map(line => ({ ...JSON.parse(line), time: 0 }))).to.deep.equal([
      { level: 'info', time: 0, msg: 'one\ntwo', port: 4001 },
      { level: 'error', time: 0, msg: 'three' }
    ])
  })

  it('names an error and its cause', () => {
    expect(errorFields(new TypeError('a', { cause: new Error('b') }))).to.deep.equal({ error: 'TypeError', detail: 'a', cause: 'b' })
    expect(errorFields('a')).to.deep.equal({ error: 'Error', detail: 'a' })
  })
})
