/**
 * Stores: where the bytes of contents rest.
 *
 * A store keeps two kinds of things. A *part* is a content on its way in: it
 * is written at any offset, its pieces are marked once they are verified, and
 * it outlives the process if the store does. When a part is whole it is
 * *finished*: it gets a name, becomes read-only, and is from then on known by
 * its *location*, a string that only the store understands.
 *
 * {@link memoryStore} keeps everything in memory; `diskStore` of
 * `formicary/store/disk` keeps files in a folder, `opfsStore` of
 * `formicary/store/opfs` in the private files of a browser. To write another,
 * implement {@link Store} and run the acceptance suite `storeTests` of
 * `formicary/store/tests` on it.
 *
 * @module
 */

import type { AbortOptions } from '@libp2p/interface'

export { memoryStore } from './memory.ts'
export type { MemoryStoreInit } from './memory.ts'

/** Keeps the bytes of contents. */
export interface Store {
  /**
   * Continues the part of this key, or begins one.
   *
   * @param key - what the part is found by; here the CID as a string
   * @throws {StoreFullError} there is no room for `size` bytes
   * @throws {StoreWriteError} the part could not be made, is open already, or was begun with another size
   * @throws {InvalidParametersError} no content can have this size
   */
  part (key: string, init: PartInit, options?: AbortOptions): Promise<Part>

  /** The parts that are not finished, in no order. */
  parts (options?: AbortOptions): AsyncIterable<PartInfo>

  /**
   * What {@link Part.keep} has kept with the part of this key, open or not;
   * `undefined` if nothing. It may be damaged after a crash, or by somebody
   * else: check it.
   */
  kept (key: string, options?: AbortOptions): Promise<Uint8Array | undefined>

  /**
   * Opens finished bytes for reading.
   *
   * @throws {NotFoundError} there is nothing at `location`
   */
  open (location: string, options?: AbortOptions): Promise<Reader>

  /** Deletes finished bytes; nothing happens if there are none at `location`. */
  delete (location: string, options?: AbortOptions): Promise<void>
}

/** What a part is begun with. */
export interface PartInit {
  /** Bytes in the content. */
  size: number

  /**
   * What to call the content when it is finished; made safe by the store. A
   * part that is continued keeps the name it was begun with.
   */
  name: string
}

/** A part that is waiting to be continued. */
export interface PartInfo extends PartInit {
  /** As given to {@link Store.part}. */
  key: string
}

/**
 * A content on its way in. What it has done, once its promise has resolved, is
 * not undone if the process is killed; a power cut may cost the last seconds.
 */
export interface Part {
  /** Bytes in the content. */
  readonly size: number

  /**
   * Pieces that were marked when the part was opened and whose bytes are
   * certain to be stored, as a bitfield: piece 0 is the highest bit of byte 0.
   */
  readonly marked: Uint8Array

  /**
   * Pieces that may or may not be stored, as after a crash: hash them before
   * use, and mark those that are right. The same form as `marked`.
   */
  readonly doubtful: Uint8Array

  /**
   * Writes bytes at an offset. They may still be overwritten; bytes that were
   * never written are 0, or whatever was written there before a crash.
   *
   * @throws {InvalidParametersError} they do not lie within the content
   * @throws {StoreFullError} no room is left
   * @throws {StoreWriteError} anything else; other bytes of the part are unharmed
   */
  write (offset: number, bytes: Uint8Array): Promise<void>

  /**
   * Reads bytes that were written before.
   *
   * @throws {InvalidParametersError} they do not lie within the content
   * @throws {ContentChangedError} somebody took them away
   */
  read (offset: number, length: number): Promise<Uint8Array>

  /**
   * Remembers that a piece is verified; call it after `write` has resolved.
   *
   * @throws {InvalidParametersError} there is no such piece
   * @throws {StoreFullError} no room is left
   * @throws {StoreWriteError} anything else
   */
  mark (piece: number): Promise<void>

  /**
   * Keeps some bytes about the content with the part, instead of those that
   * were kept before, until it is finished or discarded. {@link Store.kept}
   * gives them, also to who does not know the size that the part was begun with.
   *
   * @throws {InvalidParametersError} they are more than 4 KiB and 64 bytes for
   * each piece, or than 64 MiB; what was kept before is kept
   * @throws {StoreFullError} no room is left; what was kept before is kept
   * @throws {StoreWriteError} anything else; what was kept before is kept
   */
  keep (bytes: Uint8Array): Promise<void>

  /**
   * Makes the part read-only under its name and closes it. A name that is
   * taken gets a number, `name (2).ext`: nothing is ever overwritten.
   *
   * Whether all pieces are there is not checked.
   *
   * @param commit - called when the bytes have their name, to be remembered
   * elsewhere. The part is forgotten only after that, so that a crash in
   * between can be continued, under the same name where the store can.
   * @throws {StoreFullError} no room is left; the part is kept, and open
   * @throws {StoreWriteError} it could not be renamed; the part is kept, and open
   * @throws what `commit` says; the part is kept, and open
   */
  finish (commit?: (finished: Finished) => Promise<void>): Promise<Finished>

  /** Lets go of the part, which is kept to be continued. Closing twice is fine. */
  close (): Promise<void>

  /** Deletes the part, its marks, and what was kept with it. */
  discard (): Promise<void>
}

/** Where a finished part went. */
export interface Finished {
  /** What to open it by. */
  location: string

  /** The name it got. */
  name: string

  /** Its {@link Reader.version}. */
  version: string

  /**
   * Resolves when a power cut can do no harm to the bytes any more, and rejects
   * if they could not be brought to the disk.
   *
   * @default they are safe already
   */
  synced?: Promise<void>
}

/** Finished bytes, open for reading. */
export interface Reader {
  /** Bytes there are. */
  readonly size: number

  /**
   * Changes whenever the bytes may have changed. Read it again after reading
   * bytes to know that they belong to it.
   *
   * @throws {NotFoundError} the bytes are gone
   */
  version (): Promise<string>

  /**
   * Reads exactly `length` bytes.
   *
   * @throws {ContentChangedError} the bytes end before
   */
  read (offset: number, length: number): Promise<Uint8Array>

  /**
   * All of the bytes, without reading them: they are read where they are when
   * the blob is, which goes on after `close`, and fails once they are gone or
   * changed. A reader without this method can only be read.
   *
   * @throws {ContentChangedError} some of the bytes are gone
   */
  blob? (): Promise<Blob>

  /** Lets go of what was opened. Closing twice is fine. */
  close (): Promise<void>
}
