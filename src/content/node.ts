/**
 * Interior nodes: dag-pb around a UnixFS file that has no data of its own.
 *
 * The size of a content says where each of its nodes stands, how many links
 * it has, and how many bytes lie below each link; only the hashes are free.
 * So a node that was read is checked by encoding its hashes again: anything
 * else about it than the hashes can be right in one way only.
 *
 * A *level* is the distance to the pieces, which are level 0.
 *
 * @module
 */

import * as dagPb from '@ipld/dag-pb'
import { CID, varint } from 'multiformats'
import * as raw from 'multiformats/codecs/raw'
import * as Digest from 'multiformats/hashes/digest'
import { HASH_SIZE, MAX_LINKS, PIECE_SIZE } from './constants.ts'

const SHA2_256 = 0x12

/** What an interior node says about one of its children. */
export interface Child {
  /** SHA-256 of the child's block. */
  hash: Uint8Array

  /** Bytes of the content that lie below it. */
  size: number

  /** The same, plus the bytes of all interior nodes from it downwards. */
  tsize: number
}

/** The CID of a block: a piece at level 0, an interior node above. */
export function cidAt (level: number, hash: Uint8Array): CID {
  return CID.createV1(level === 0 ? raw.code : dagPb.code, Digest.create(SHA2_256, hash))
}

/** `true` for CIDs of a content of one piece: CIDv1, raw bytes, SHA-256. */
export function isPieceCid (cid: CID): boolean {
  return isProfileCid(cid, raw.code)
}

/** `true` for CIDs of a content of many pieces: CIDv1, dag-pb, SHA-256. */
export function isNodeCid (cid: CID): boolean {
  return isProfileCid(cid, dagPb.code)
}

function isProfileCid (cid: CID, codec: number): boolean {
  return cid.version === 1 && cid.code === codec &&
    cid.multihash.code === SHA2_256 && cid.multihash.digest.byteLength === HASH_SIZE
}

/** Encodes the node of a level, byte for byte as kubo and `ipfs-unixfs-importer` do. */
export function encodeNode (level: number, children: Child[]): Uint8Array {
  return dagPb.encode({
    Data: encodeFile(children.map(child => child.size)),
    Links: children.map(child => ({ Hash: cidAt(level - 1, child.hash), Name: '', Tsize: child.tsize }))
  })
}

/**
 * A UnixFS file without data of its own: its type, its size, and the sizes of
 * its blocks, which is protobuf with varints only. By hand because
 * `ipfs-unixfs` 13.1.1 writes random bytes for sizes from 2 to 4 GiB
 * (`writeVarint64` of protons-runtime 7.1.2 takes bit 31 for a sign).
 */
function encodeFile (blockSizes: number[]): Uint8Array {
  const fileSize = blockSizes.reduce((sum, size) => sum + size, 0)
  const length = blockSizes.reduce((sum, size) => sum + 1 + varint.encodingLength(size), varint.encodingLength(fileSize))
  const bytes = new Uint8Array(FILE.byteLength + length)
  bytes.set(FILE)
  varint.encodeTo(fileSize, bytes, FILE.byteLength)
  let at = FILE.byteLength + varint.encodingLength(fileSize)

  for (const size of blockSizes) {
    bytes[at++] = BLOCK_SIZE
    varint.encodeTo(size, bytes, at)
    at += varint.encodingLength(size)
  }

  return bytes
}

/** `type: file`, and the tag of the file size that follows. */
const FILE = Uint8Array.of(0x08, 0x02, 0x18)

/** The tag before the size of each block. */
const BLOCK_SIZE = 0x20

/**
 * What anybody may claim a node to be, before it is checked against its place.
 *
 * @throws if the bytes are not dag-pb
 */
export function decodeNode (bytes: Uint8Array): { data?: Uint8Array, hashes: Uint8Array[] } {
  const { Data: data, Links: links } = dagPb.decode(bytes)

  return { data, hashes: links.map(link => link.Hash.multihash.digest) }
}

/**
 * Bytes of the content below a node, by its own word.
 *
 * @throws if the data is not that of a UnixFS file
 */
export function decodeFileSize (data: Uint8Array): number {
  if (!FILE.every((byte, i) => data[i] === byte)) {
    throw new TypeError('Not a UnixFS file without data of its own')
  }

  return varint.decode(data, FILE.byteLength)[0]
}

/** Bytes of the content below a full node of this level. */
export function fullSize (level: number): number {
  return PIECE_SIZE * MAX_LINKS ** level
}

/** The level of the root of a content of this size. */
export function rootLevel (size: number): number {
  let level = 0

  while (fullSize(level) < size) {
    level++
  }

  return level
}

/** The children of a node with `size` bytes below it, all full but the last; their hashes are empty. */
export function childrenOf (level: number, size: number): Child[] {
  const step = fullSize(level - 1)
  const full = Math.floor(size / step)
  const children = new Array<Child>(full).fill(emptyChild(level - 1, full > 0 ? step : 0))

  if (size % step > 0) {
    children.push(emptyChild(level - 1, size % step))
  }

  return children
}

function emptyChild (level: number, size: number): Child {
  return { hash: NO_HASH, size, tsize: totalSize(level, size) }
}

const NO_HASH = new Uint8Array(HASH_SIZE)

/** Hashes are of one length, so the length of a node does not depend on them. */
function totalSize (level: number, size: number): number {
  if (level === 0 || size === 0) {
    return size
  }

  const children = childrenOf(level, size)

  return children.reduce((sum, child) => sum + child.tsize, encodeNode(level, children).byteLength)
}
