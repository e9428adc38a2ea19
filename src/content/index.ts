/**
 * Contents: immutable bytes named by their CID.
 *
 * The CID is that of the `unixfs-v1-2025` profile (IPIP-499): CIDv1, raw
 * leaves of 1 MiB, SHA-256, dag-pb nodes of at most 1,024 links, balanced. A
 * content of up to 1 MiB is one raw block. So the name is the same that
 * `ipfs add` with that profile and Helia give.
 *
 * The leaves are the *pieces*, the unit of verification. The interior nodes
 * are the *manifest*: {@link ManifestBuilder} makes it from the hashes of the
 * pieces, {@link ManifestReader} rebuilds it from blocks of strangers, each
 * checked against the hash that named it.
 *
 * Everything here is pure.
 *
 * @module
 */

export { PIECE_SIZE, MAX_LINKS, MAX_CONTENT_SIZE, HASH_SIZE, MAX_NODE_SIZE } from './constants.ts'
export { Manifest, ManifestBuilder } from './manifest.ts'
export type { ManifestInit } from './manifest.ts'
export { ManifestReader } from './reader.ts'
export type { ManifestReaderInit } from './reader.ts'
export { hashPiece, hashSync } from './hash.ts'
export { isNodeCid, isPieceCid } from './node.ts'
export type { Entry } from './entry.ts'
