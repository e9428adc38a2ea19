/**
 * Sizes, times and errors as people say them.
 *
 * @module
 */

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB']

/** Such as `3.4 MB`; a KB is 1,000 bytes. */
export function size (bytes: number): string {
  const unit = Math.min(UNITS.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** unit

  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`
}

/** Such as `3 s`, `2 min`. */
export function time (ms: number): string {
  const seconds = Math.ceil(ms / 1000)

  return seconds < 100 ? `${seconds} s` : seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}

/** Such as `1 file`, `2 files`. */
export function count (number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** What may go wrong, by the names of errors. */
const EXPLAINED: Record<string, string> = {
  NotFoundError: 'Nobody who is here has the rest of it. What has arrived is kept: try again when they are back.',
  StoreFullError: 'There is no room left in this browser. What has arrived is kept: delete something, and continue.',
  StoreWriteError: 'This browser could not store it. Is the disk full, or is this a private window?',
  ContentChangedError: 'The file was changed or deleted since it was chosen. Choose it again.',
  InvalidManifestError: 'This is not a file that can be fetched.',
  NotStartedError: 'You are not connected. Load this page again.',
  TypeError: 'The hub cannot be reached. Is it running, and are you online?'
}

/** An error in plain words. */
export function explain (error: unknown): string {
  const { name, message } = error as Error

  return EXPLAINED[name] ?? message
}
