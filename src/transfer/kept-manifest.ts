/**
 * The manifest beside an unfinished part: the size, and the hashes of all
 * pieces, from which the interior nodes are made again. So a download that was
 * interrupted needs nobody to know what it is about, and can tell others.
 *
 * ```
 * uint64be             content size
 * 32 bytes each        SHA-256 of the pieces
 * ```
 *
 * What is read is believed only if it leads to the name of the content.
 *
 * @module
 */

import { delay } from '../delay.ts'
import { HASH_SIZE, ManifestBuilder, MAX_CONTENT_SIZE, MAX_LINKS, PIECE_SIZE } from '../content/index.ts'
import type { Manifest } from '../content/index.ts'
import type { Part, Store } from '../store/index.ts'
import type { AbortOptions, Logger } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

const HEADER_SIZE = 8

/** Pieces that are taken at once: some ms of work. */
const TURN = 8 * MAX_LINKS

/** Keeps a manifest with the part of its content. That it cannot be kept does no harm now, so it is only logged. */
export async function keepManifest (part: Part, manifest: Manifest, log: Logger): Promise<void> {
  const bytes = new Uint8Array(HEADER_SIZE + manifest.pieceCount * HASH_SIZE)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(manifest.size))

  for (let piece = 0; piece < manifest.pieceCount; piece++) {
    bytes.set(manifest.hash(piece), HEADER_SIZE + piece * HASH_SIZE)
  }

  await part.keep(bytes).catch((err: unknown) => { log('could not keep the manifest of %c - %e', manifest.root, err) })
}

/**
 * The manifest that was kept with the part of a content, verified; `undefined`
 * if there is none that is right.
 *
 * @throws the reason of the signal, once it is aborted
 */
export async function keptManifest ({ store, key, cid: root, log }: { store: Store, key: string, cid: CID, log: Logger }, { signal }: AbortOptions = {}): Promise<Manifest | undefined> {
  try {
    const bytes = await store.kept(key)
    const manifest = bytes == null ? undefined : await rebuild(bytes, signal)

    if (manifest == null || manifest.root.equals(root)) {
      return manifest
    }

    log('what was kept with the part of %c is not its manifest', root)
  } catch (err) {
    signal?.throwIfAborted()
    log('the manifest kept with the part of %c cannot be read - %e', root, err)
  }
}

/** The manifest of any size and hashes; `undefined` if the one does not fit the others. */
async function rebuild (bytes: Uint8Array, signal?: AbortSignal): Promise<Manifest | undefined> {
  if (bytes.byteLength < HEADER_SIZE) {
    return undefined
  }

  const size = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0))
  const pieceCount = Math.ceil(size / PIECE_SIZE)

  if (size <= PIECE_SIZE || size > MAX_CONTENT_SIZE || bytes.byteLength !== HEADER_SIZE + pieceCount * HASH_SIZE) {
    return undefined
  }

  const builder = new ManifestBuilder()

  for (let piece = 0; piece < pieceCount; piece++) {
    const at = HEADER_SIZE + piece * HASH_SIZE
    builder.add(bytes.subarray(at, at + HASH_SIZE), Math.min(PIECE_SIZE, size - piece * PIECE_SIZE))

    if (piece % TURN === TURN - 1) {
      await delay(0, { signal })
    }
  }

  return builder.finish()
}
