/**
 * Shares bytes that are nowhere yet, by giving them to the store, and blobs,
 * which are somewhere for as long as the process lives.
 *
 * @module
 */

import { PIECE_SIZE } from '../content/index.ts'
import { nameFault } from '../content/names.ts'
import { InvalidParametersError } from '../errors.ts'
import { mediaTypeOf } from './media-type.ts'
import { readBlob } from './shared-blobs.ts'
import type { HashSource } from './hasher.ts'
import type { CatalogParts } from './parts.ts'
import type { Item } from './records.ts'
import type { Entry, Manifest } from '../content/index.ts'
import type { Part } from '../store/index.ts'
import type { AbortOptions } from '@libp2p/interface'

/** Bytes of a stream to keep in memory until all are there: 256 MiB. A `Blob` may have any size. */
const MAX_STREAM_SIZE = 256 * 1024 * 1024

/** Bytes with a name. */
export interface NamedBytes {
  name: string
  content: Uint8Array | AsyncIterable<Uint8Array> | Blob
  modified?: number
}

/** Settings of one sharing. */
export interface ShareBytesOptions extends AbortOptions {
  /** Gives a blob to the store as well. */
  keep?: boolean
  onFile? (path: string, size: number): void
  onBytes? (path: string, bytes: number, size: number): void
}

/** Throws an {@link InvalidParametersError} if an entry cannot have this name. */
export function assertName (name: string): void {
  const fault = typeof name === 'string' ? nameFault(name) : 'it is not a string'

  if (fault != null) {
    throw new InvalidParametersError(`The name cannot be used: ${fault}`)
  }
}

/** Makes entries of bytes. */
export class SharedBytes {
  readonly #parts: CatalogParts

  constructor (parts: CatalogParts) {
    this.#parts = parts
  }

  /** Shares bytes; the same bytes under the same name are the same entry, which is kept if it ever was to be. */
  async share ({ name, content, modified = modifiedOf(content) }: NamedBytes, options: ShareBytesOptions): Promise<Entry> {
    assertName(name)
    const source = await toSource(content, options)
    options.onFile?.(name, source.size)
    const manifest = await this.#parts.hasher.hash(source, {
      signal: options.signal,
      onBytes: bytes => { options.onBytes?.(name, bytes, source.size) }
    })

    return this.#locked(manifest, async () => {
      const same = await this.#stored(manifest, options)
      const named = same.find(item => item.entry.name === name)

      if (named != null) {
        return named.entry
      }

      const entry = { cid: manifest.root, name, path: '', size: manifest.size, mediaType: mediaTypeOf(name), modified }

      if (content instanceof Blob && options.keep !== true) {
        return this.#addBlob(entry, content, manifest, options)
      }

      const { location, version } = same[0] ?? await this.#store(source, manifest, name, options)
      await this.#removeBlob(this.#blobNamed(entry))
      await this.#parts.entries.add({ entry, where: 'store', location, version }, { ...options, manifest })

      return entry
    }, options)
  }

  /** Removes an item of a blob; `false` if it was gone already. */
  async removeBlob (item: Item): Promise<boolean> {
    return this.#parts.locks.run(item.entry.cid.toString(), async () => this.#removeBlob(item))
  }

  /** Removes an item of the store, and its bytes if no other has them; `false` if it was gone already. */
  async remove (item: Item): Promise<boolean> {
    return this.#parts.locks.run(item.entry.cid.toString(), async () => {
      const removed = await this.#parts.entries.remove(item)

      if (!this.#parts.entries.of(item.entry.cid).some(other => other.where === 'store' && other.location === item.location) && !await this.#areOthers(item)) {
        await this.#parts.store.delete(item.location)
      }

      return removed
    })
  }

  /** `true` if the bytes at the location of an item are not its own any more, but those of another catalog. */
  async #areOthers (item: Item): Promise<boolean> {
    return !await this.#isStored(item, {}) && this.#parts.claims.areOthers(item.location)
  }

  /** Shares a blob as it is, also in place of one that may not be readable any more. */
  async #addBlob (entry: Entry, blob: Blob, manifest: Manifest, options: AbortOptions): Promise<Entry> {
    const { blobs, entries } = this.#parts
    const same = this.#blobNamed(entry)

    if (same != null) {
      blobs.replace(same.location, { blob, manifest })

      return same.entry
    }

    await entries.add({ entry, where: 'blob', location: blobs.add({ blob, manifest }), version: '' }, options)

    return entry
  }

  #blobNamed ({ cid, name }: Entry): Item | undefined {
    return this.#parts.entries.of(cid).find(item => item.where === 'blob' && item.entry.name === name)
  }

  async #removeBlob (item?: Item): Promise<boolean> {
    if (item == null) {
      return false
    }

    this.#parts.blobs.remove(item.location)

    return this.#parts.entries.remove(item)
  }

  async #locked<T> (manifest: Manifest, task: () => Promise<T>, options: AbortOptions): Promise<T> {
    return this.#parts.locks.run(manifest.root.toString(), task, options)
  }

  /** The items whose bytes the store has, as they should be. */
  async #stored ({ root }: Manifest, options: AbortOptions): Promise<Item[]> {
    const items: Item[] = []

    for (const item of this.#parts.entries.of(root).filter(item => item.where === 'store')) {
      if (await this.#isStored(item, options)) {
        items.push(item)
      }
    }

    return items
  }

  async #isStored (item: Item, options: AbortOptions): Promise<boolean> {
    try {
      const reader = await this.#parts.store.open(item.location, options)

      try {
        return await reader.version() === item.version
      } finally {
        await reader.close()
      }
    } catch {
      options.signal?.throwIfAborted()

      return false
    }
  }

  async #store (source: HashSource, manifest: Manifest, name: string, options: AbortOptions): Promise<{ location: string, version: string }> {
    const part = await this.#parts.store.part(this.#parts.claims.partKey(manifest.root), { size: manifest.size, name }, options)
    const begun = part.marked.some(byte => byte !== 0)

    try {
      await writeAll(part, source, manifest, options)

      return await part.finish(async ({ synced }) => { await synced })
    } catch (err) {
      // what a download had fetched of it is worth keeping
      await (begun ? part.close() : part.discard())
      throw err
    }
  }
}

async function writeAll (part: Part, source: HashSource, manifest: Manifest, options: AbortOptions): Promise<void> {
  const buffer = new Uint8Array(Math.min(PIECE_SIZE, source.size))

  for (let piece = 0; piece < manifest.pieceCount; piece++) {
    options.signal?.throwIfAborted()
    const offset = piece * PIECE_SIZE
    await part.write(offset, await source.piece(offset, manifest.pieceSize(piece), buffer))
    await part.mark(piece)
  }
}

/** When a file was last changed, in ms since 1970. */
function modifiedOf (content: NamedBytes['content']): number | undefined {
  return content instanceof File ? content.lastModified : undefined
}

async function toSource (content: NamedBytes['content'], options: AbortOptions): Promise<HashSource> {
  if (content instanceof Uint8Array) {
    return {
      size: content.byteLength,
      piece: async (offset, length) => content.subarray(offset, offset + length)
    }
  }

  if (content instanceof Blob) {
    return {
      size: content.size,
      piece: async (offset, length) => readBlob(content, offset, length)
    }
  }

  if (typeof content?.[Symbol.asyncIterator] !== 'function') {
    throw new InvalidParametersError('The content should be bytes, a Blob or an async iterable of bytes')
  }

  return collect(content, options)
}

/** Keeps the pieces of a stream, whose size is not known before its end. */
async function collect (content: AsyncIterable<Uint8Array>, options: AbortOptions): Promise<HashSource> {
  const pieces: Uint8Array[] = []
  let size = 0

  for await (const chunk of abortable(content, options)) {
    if (!(chunk instanceof Uint8Array)) {
      throw new InvalidParametersError('The content has something other than bytes')
    }

    if (size + chunk.byteLength > MAX_STREAM_SIZE) {
      throw new InvalidParametersError(`A stream may have ${MAX_STREAM_SIZE} bytes; share more as a Blob or a file`)
    }

    for (let done = 0; done < chunk.byteLength;) {
      const start = size % PIECE_SIZE

      if (start === 0) {
        pieces.push(new Uint8Array(PIECE_SIZE))
      }

      const part = chunk.subarray(done, done + PIECE_SIZE - start)
      pieces[pieces.length - 1].set(part, start)
      done += part.byteLength
      size += part.byteLength
    }
  }

  return {
    size,
    piece: async (offset, length) => pieces[offset / PIECE_SIZE]?.subarray(0, length) ?? new Uint8Array()
  }
}

/** Ends with the reason of the signal even while the source has nothing to give. */
async function * abortable<T> (source: AsyncIterable<T>, { signal }: AbortOptions): AsyncGenerator<T> {
  signal?.throwIfAborted()
  const iterator = source[Symbol.asyncIterator]()
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => { aborted.reject(signal?.reason) }
  let ended = false
  aborted.promise.catch(() => {})
  signal?.addEventListener('abort', onAbort)

  try {
    for (;;) {
      const result = await Promise.race([iterator.next(), aborted.promise])

      if (result.done === true) {
        ended = true

        return
      }

      yield result.value
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)

    if (!ended) {
      // not waited for: it may hang like the source
      Promise.resolve(iterator.return?.()).catch(() => {})
    }
  }
}
