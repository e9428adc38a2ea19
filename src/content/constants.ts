/** Bytes in a piece, but for the last: the leaf size of the `unixfs-v1-2025` profile. */
export const PIECE_SIZE = 1024 * 1024

/** Links in an interior node, at most: the width of the profile. */
export const MAX_LINKS = 1024

/** Bytes in a SHA-256 digest. */
export const HASH_SIZE = 32

/**
 * Largest content, in bytes: 1 TiB. Its hashes take 32 MiB of memory, which is
 * what a stranger can make us spend on a manifest.
 */
export const MAX_CONTENT_SIZE = 2 ** 40

/**
 * Largest interior node, in bytes. A full one has 1,024 links of some 50 bytes
 * and as many block sizes of up to 7.
 */
export const MAX_NODE_SIZE = 64 * 1024
