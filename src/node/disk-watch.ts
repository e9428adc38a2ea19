import { freeSpace } from '../store/disk-files.ts'

/** Bytes below which a disk counts as full: records need them to be opened again; see `records.ts`. */
const ROOM = 8 * 1024 * 1024

/** How often to look, in ms. */
const INTERVAL = 10_000

/** Knows how much room there is for a folder, and says when it is used up, and when there is some again. */
export class DiskWatch {
  readonly folder: string
  readonly #onChange: (full: boolean) => void
  #timer?: NodeJS.Timeout
  #free = Infinity

  constructor (folder: string, onChange: (full: boolean) => void) {
    this.folder = folder
    this.#onChange = onChange
  }

  /** Bytes, when it was last looked at. */
  get free (): number {
    return this.#free
  }

  get full (): boolean {
    return this.#free < ROOM
  }

  start (): void {
    void this.check()
    this.#timer = setInterval(() => { void this.check() }, INTERVAL).unref()
  }

  stop (): void {
    clearInterval(this.#timer)
  }

  /** Looks now. A folder that is gone has no room. */
  async check (): Promise<void> {
    const before = this.full
    this.#free = await freeSpace(this.folder).catch(() => 0)

    if (this.full !== before) {
      this.#onChange(this.full)
    }
  }
}
