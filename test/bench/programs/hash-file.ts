/**
 * The reference for sharing: reads a file and hashes it, in steps of 1 MiB.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import { MIB } from '../fixtures.ts'
import type { Part } from '../processes.ts'

export async function hasher (): Promise<Part<string>> {
  return {
    run: async source => {
      await using file = await fs.open(source)
      const buffer = Buffer.allocUnsafeSlow(MIB)
      const hash = createHash('sha256')

      for (;;) {
        const { bytesRead } = await file.read(buffer)

        if (bytesRead === 0) {
          return { hash: hash.digest('hex') }
        }

        hash.update(buffer.subarray(0, bytesRead))
      }
    }
  }
}
