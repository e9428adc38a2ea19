/**
 * What the build changes in `@libp2p/webrtc`, and why.
 *
 * @module
 */

/** The version that all this was made for. */
export const VERSION = '6.0.33'

/** Text to replace, which has to stand in the file exactly once. */
export interface Patch {
  /** The first of what is replaced. */
  from: string

  /**
   * What ends it, and stays.
   *
   * @default nothing: `from` alone is replaced
   */
  until?: string

  to: string
}

/** By file of the package. */
export const PATCHES: Record<string, Patch[]> = {
  // Its listener aborts this when it closes, after which a node that is started again would refuse everybody.
  'dist/src/private-to-private/transport.js': [
    {
      from: '    async start() {\n',
      to: `    async start() {
        this.shutdownController = new AbortController();
        setMaxListeners(Infinity, this.shutdownController.signal);
`
    },

    // In Node one connection in thirty is closed by libdatachannel at once, more on a busy machine; the next is not.
    { from: '= await initiateConnection({', to: '= await initiateAgain({' },
    {
      from: 'export function splitAddr(ma) {',
      to: `async function initiateAgain(options, attempts = 3) {
    try {
        return await initiateConnection(options);
    }
    catch (err) {
        if (attempts <= 1 || options.signal.aborted || err.name !== 'ConnectionFailedError' || !err.message.endsWith('"closed"')) {
            throw err;
        }
        return initiateAgain(options, attempts - 1);
    }
}
export function splitAddr(ma) {`
    }
  ],

  // The responder closes the channel 'init' as soon as it can. Its 'open' event, and even its 'close', may have been before anybody here
  // listens: a quarter of the dials between two pages waited for them in vain until they timed out.
  'dist/src/private-to-private/initiate-connection.js': [
    {
      from: `        if (channel.readyState !== 'open') {
            log.trace('wait for init channel to open');`,
      to: `        if (channel.readyState === 'connecting') {
            log.trace('wait for init channel to open');`
    },
    {
      from: `            await pEvent(channel, 'open', {
                signal
            });`,
      to: `            await pEvent(channel, ['open', 'close'], {
                signal
            });`
    },
    {
      from: `        await pEvent(channel, 'close', {
            signal
        });`,
      to: `        if (channel.readyState !== 'closed') {
            await pEvent(channel, 'close', {
                signal
            });
        }`
    }
  ],

  // A connection that has failed is not used: both sides waited for it until they timed out.
  'dist/src/private-to-private/util.js': [
    {
      from: 'if (options.signal?.aborted === true && pc.connectionState !== \'connected\') {',
      to: 'if ((options.signal?.aborted === true && pc.connectionState !== \'connected\') || pc.connectionState === \'closed\' || pc.connectionState === \'failed\') {'
    }
  ],

  // A certificate is handed in or made by 60 lines of ours, instead of by @peculiar/x509 and kept by @libp2p/keychain: 8 MB less to install.
  'dist/src/private-to-public/transport.js': [
    {
      from: 'import \'reflect-metadata\';\n',
      to: 'import { createCertificate } from \'formicary:certificate\';\n'
    },
    { from: 'import { BasicConstraintsExtension, X509Certificate, X509CertificateGenerator } from \'@peculiar/x509\';\n', to: '' },
    {
      from: '    async getCertificate(forceRenew) {\n',
      until: 'function isTransportCertificate(obj)',
      to: `    async getCertificate() {
        return await this.certInit.certificate?.() ?? createCertificate();
    }
}
`
    }
  ],

  // A port cannot be given back: see udp-mux.ts.
  'dist/src/private-to-public/utils/stun-listener.js': [
    {
      from: 'import { IceUdpMuxListener } from \'node-datachannel\';',
      to: 'import { udpMux } from \'formicary:udp-mux\';'
    },
    { from: 'new IceUdpMuxListener(port, host)', to: 'udpMux(port, host)' }
  ],

  'dist/src/private-to-public/listener.js': [
    {
      from: 'import getPort from \'get-port\';',
      to: 'import getPort from \'get-port\';\nimport { anyPort } from \'formicary:udp-mux\';'
    },
    { from: 'port = await getPort();', to: 'port = await anyPort(host, getPort);' }
  ],

  // The one who dials shows a certificate that nobody looks at: node-datachannel makes one itself.
  'dist/src/private-to-public/utils/get-rtcpeerconnection.js': [
    { from: 'import { Crypto } from \'@peculiar/webcrypto\';\n', to: '' },
    { from: 'const crypto = new Crypto();\n', to: '' },
    {
      from: '    if (options.certificate == null) {\n',
      until: '    const rtcConfig = ',
      to: ''
    },
    { from: 'options.certificate.pem', to: 'options.certificate?.pem' },
    { from: 'options.certificate.privateKey', to: 'options.certificate?.privateKey' }
  ]
}

/**
 * The text with all patches.
 *
 * @throws {Error} the text is not what a patch was made for
 */
export function patched (text: string, patches: Patch[]): string {
  return patches.reduce((before, { from, until, to }) => {
    const start = before.indexOf(from)
    const end = until == null ? start + from.length : before.indexOf(until, start)

    if (start === -1 || end === -1 || before.includes(from, start + 1)) {
      throw new Error(`Expected to find once: ${from}${until == null ? '' : ` … ${until}`}`)
    }

    return before.slice(0, start) + to + before.slice(end)
  }, text)
}
