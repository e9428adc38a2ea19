/** Makes the files of the tour: documents with natural names, and one large film. */

import { createHash } from 'node:crypto'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const THINGS = ['Carta', 'Résumé', 'Einladung', 'Rechnung', 'Meeting notes', 'Liste des courses', 'Relatório', 'Příručka', 'Bericht', 'Receta']
const ABOUT = ['hormigas negras', 'château d’eau', 'Grüße aus Köln', 'summer school', 'São Paulo', 'the queen', 'žluťoučký kůň', 'crème brûlée', 'garden', 'winter stores']
const ENDINGS = ['txt', 'md', 'html', 'csv']

/** Writes `count` small documents into folders below `folder`; each `member` has others. Gives where they are. */
export async function makeDocuments (folder: string, member: number, count: number): Promise<string[]> {
  const paths: string[] = []

  for (let i = 0; i < count; i++) {
    const n = member * count + i
    const path = join(folder, ['Work', 'Home', 'Old papers'][n % 3])
    const name = `${THINGS[n % THINGS.length]} ${ABOUT[Math.floor(n / THINGS.length) % ABOUT.length]} ${1950 + n % 70} (${n}).${ENDINGS[n % ENDINGS.length]}`
    await mkdir(path, { recursive: true })
    await writeFile(join(path, name), `${name}\n`.repeat(20 + n % 200))
    paths.push(join(path, name))
  }

  return paths
}

/** Writes a file of `size` bytes that is the same wherever it is made, and looks random. */
export async function makeFilm (path: string, size: number): Promise<void> {
  await using file = await open(path, 'w')
  const chunk = Buffer.alloc(1024 * 1024)

  for (let offset = 0; offset < size; offset += chunk.byteLength) {
    const seed = createHash('sha256').update(String(offset)).digest()

    for (let i = 0; i < chunk.byteLength; i += seed.byteLength) {
      seed.copy(chunk, i)
      seed.writeUInt32LE(seed.readUInt32LE() + 2_654_435_761 & 0x7fffffff)
    }

    await file.write(chunk, 0, Math.min(chunk.byteLength, size - offset))
  }
}
