/**
 * Has V8 free the buffers of a busy connection in time, and cheaply.
 *
 * Each byte that comes over a connection is in three buffers that are garbage
 * a moment later, and V8 could free them with the rest of the young
 * generation, which takes a millisecond. But it does that only when enough
 * young *objects* have been made, and buffers hardly count: they have but a
 * small object each, and their bytes count towards a collection of the whole
 * heap (`Heap::external_memory` in V8's heap.cc). So it went through all
 * objects some twenty times a second, which took more time than decrypting,
 * hashing and writing together. Making as many bytes of young objects as of
 * buffers restores the balance: a download of 512 MiB needs two such
 * collections instead of sixty, and half the CPU time.
 *
 * The setting `--semi-space-growth-factor=1` does the same for a whole
 * process, but a library must not make it.
 *
 * @module
 */

/** An object is made for each so many bytes. */
const STEP = 16 * 1024

/** Its length; a slot has 8 bytes. */
const SLOTS = 4096

let bytesSince = 0

/** How many were made. None is kept: survivors make V8's young generation grow. */
export let made = 0

/** Takes note that buffers of so many bytes were made, and will soon be garbage. */
export function hastenScavenge (bytes: number): void {
  for (bytesSince += bytes; bytesSince >= STEP; bytesSince -= STEP) {
    made += Number(new Array<unknown>(SLOTS).length > 0)
  }
}
