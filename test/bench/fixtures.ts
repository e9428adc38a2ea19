/**
 * Files to share, and whether what arrived is the same.
 *
 * @module
 */

import { createHash, randomFillSync } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'

export const MIB = 1024 * 1024

/** Writes random bytes and waits until the disk has them, so that nothing is written back while the clock runs. */
export async function randomFile (file: string, size: number): Promise<string> {
  await fs.mkdir(path.dirname(file), { recursive: true })
  await using handle = await fs.open(file, 'w')
  const block = Buffer.alloc(Math.min(size, MIB))

  for (let written = 0; written < size; written += block.byteLength) {
    randomFillSync(block)
    await handle.write(block, 0, Math.min(block.byteLength, size - written))
  }

  await handle.sync()

  return file
}

/** Writes files of random bytes into a folder, named `f0000.bin` and so on. */
export async function randomFolder (folder: string, count: number, size: number): Promise<string> {
  await fs.mkdir(folder, { recursive: true })

  for (let i = 0; i < count; i++) {
    const bytes = Buffer.alloc(size)
    await fs.writeFile(path.join(folder, `f${String(i).padStart(4, '0')}.bin`), randomFillSync(bytes))
  }

  return folder
}

const known = new Map<string, string>()

/** Throws unless both files, or all files of both folders, have the same bytes. */
export async function assertSame (got: string, source: string): Promise<void> {
  if ((await fs.stat(source)).isDirectory()) {
    for (const name of await fs.readdir(source)) {
      await assertSame(path.join(got, name), path.join(source, name))
    }

    return
  }

  const expected = known.get(source) ?? await sha256(source)
  known.set(source, expected)

  if (await sha256(got) !== expected) {
    throw new Error(`${path.basename(got)} is not what was shared`)
  }
}

async function sha256 (file: string): Promise<string> {
  await using handle = await fs.open(file)
  const hash = createHash('sha256')
  const block = Buffer.allocUnsafe(MIB)

  for (;;) {
    const { bytesRead } = await handle.read(block)

    if (bytesRead === 0) {
      return hash.digest('hex')
    }

    hash.update(block.subarray(0, bytesRead))
  }
}
