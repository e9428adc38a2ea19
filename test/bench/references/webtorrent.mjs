/**
 * WebTorrent over TCP: pieces of 1 MiB, no encryption, no DHT, no trackers.
 */

import fs from 'node:fs/promises'
import path from 'node:path'
import createTorrent from 'create-torrent'
import WebTorrent from 'webtorrent'

const PIECE_SIZE = 1024 * 1024

async function start () {
  const client = new WebTorrent({ dht: false, tracker: false, lsd: false, utPex: false, natUpnp: false, natPmp: false, utp: false, secure: 0 })

  if (!client.listening) {
    await new Promise((resolve, reject) => { client.once('listening', resolve).once('error', reject) })
  }

  client.on('error', err => { console.error(err) })

  return client
}

/** The torrent of a file; made the first time and kept in `folder`. */
async function torrentOf (source, folder) {
  const kept = path.join(folder, 'source.torrent')

  try {
    return await fs.readFile(kept)
  } catch {
    const torrent = await new Promise((resolve, reject) => {
      createTorrent(source, { pieceLength: PIECE_SIZE, announceList: [] }, (err, torrent) => { err == null ? resolve(torrent) : reject(err) })
    })
    await fs.writeFile(kept, torrent)

    return torrent
  }
}

export async function holder ({ folder, source }) {
  const metadata = await torrentOf(source, folder)
  const client = await start()
  // the file is what the torrent says: no need to hash it once more at each start
  const torrent = client.add(Buffer.from(metadata), { path: path.dirname(source), skipVerify: true })
  await new Promise(resolve => { torrent.once('done', resolve) })

  return { info: { port: client.torrentPort, metadata: Buffer.from(metadata).toString('base64') } }
}

export async function downloader ({ folder }) {
  const client = await start()

  return {
    run: async ([{ port, metadata }]) => {
      const torrent = client.add(Buffer.from(metadata, 'base64'), { path: folder })
      await new Promise((resolve, reject) => { torrent.once('ready', resolve).once('error', reject) })
      torrent.addPeer(`127.0.0.1:${port}`)
      await new Promise((resolve, reject) => { torrent.once('done', resolve).once('error', reject) })

      return { path: path.join(folder, torrent.name) }
    }
  }
}
