/**
 * How the OPFS store lays out its files. All names are digits and letters that
 * nobody else has chosen; the names of contents are in records only.
 *
 * | path | what |
 * | --- | --- |
 * | `parts/<file key>` | record of a content on its way in |
 * | `finished/<hash of the name>` | record of a finished content; its location is the hash |
 * | `pieces/<id>/<n>` | piece `n` of the content whose record has this id |
 * | `pieces/<id>/marks` | bitfield of verified pieces, while on its way in |
 * | `pieces/<id>/kept` | what is kept with the part, while on its way in |
 *
 * A record is made after the folder of its pieces, and deleted before it. So a
 * crash leaves pieces without a record at worst, which are swept up.
 *
 * @module
 */

import { fileIn, namesIn, removeFrom, writeFile } from './opfs-files.ts'
import { toFileKey } from './part-name.ts'
import { parseFields, parseInteger, parseString } from '../wire/parse.ts'

/** What is on record of a content. */
export interface ContentRecord {
  /** Names the folder of its pieces. */
  id: string
  key: string
  name: string
  size: number
}

/** The folders of a store. */
export interface Folders {
  parts: FileSystemDirectoryHandle
  finished: FileSystemDirectoryHandle
  pieces: FileSystemDirectoryHandle
}

const PART = /^~?[a-z0-9]+$/
const LOCATION = /^[0-9a-f]{64}$/
const ID = /^[0-9a-f-]{36}$/

/** UTF-16 code units in a key or name, at most. */
const MAX_TEXT_LENGTH = 65_536

/** `true` if a string can be a location; others never come near the files. */
export function isLocation (text: string): boolean {
  return LOCATION.test(text)
}

/** Opens the folders of a store, making them if need be, and sweeps up what a crash left. */
export async function openFolders (root: FileSystemDirectoryHandle, name: string): Promise<Folders> {
  const top = await root.getDirectoryHandle('formicary', { create: true })
  const own = await top.getDirectoryHandle(toFileKey(name), { create: true })
  const [parts, finished, pieces] = await Promise.all(['parts', 'finished', 'pieces'].map(async folder => own.getDirectoryHandle(folder, { create: true })))
  await sweep({ parts, finished, pieces })

  return { parts, finished, pieces }
}

/** A record; `undefined` if there is none that can be read. */
export async function readRecord (folder: FileSystemDirectoryHandle, name: string): Promise<ContentRecord | undefined> {
  const file = await fileIn(folder, name)

  try {
    return file == null ? undefined : parseRecord(JSON.parse(await file.text()))
  } catch (err) {
    // made, and then we were stopped before anything was in it
    if (!(err instanceof SyntaxError || err instanceof TypeError)) {
      throw err
    }
  }
}

export async function writeRecord (folder: FileSystemDirectoryHandle, name: string, { id, key, name: called, size }: ContentRecord): Promise<void> {
  await writeFile(folder, name, new TextEncoder().encode(JSON.stringify({ id, key, name: called, size })))
}

/** All records of a folder, by their file names. */
export async function * records (folder: FileSystemDirectoryHandle): AsyncGenerator<[name: string, record: ContentRecord | undefined]> {
  for (const name of await namesIn(folder, PART)) {
    yield [name, await readRecord(folder, name)]
  }
}

/** Where the finished content with this id is; slow, since all records are read. */
export async function locationOf ({ finished }: Folders, id: string): Promise<string | undefined> {
  for await (const [location, record] of records(finished)) {
    if (record?.id === id) {
      return location
    }
  }
}

/** Deletes pieces without a record. As long as there are as many of the one as of the other, there are none. */
async function sweep ({ parts, finished, pieces }: Folders): Promise<void> {
  const [ids, ...named] = await Promise.all([namesIn(pieces, ID), namesIn(parts, PART), namesIn(finished, PART)])

  if (ids.length === named.flat().length) {
    return
  }

  const known = new Set<string>()

  for (const folder of [parts, finished]) {
    for await (const [name, record] of records(folder)) {
      if (record == null) {
        await removeFrom(folder, name)
      } else {
        known.add(record.id)
      }
    }
  }

  for (const id of ids.filter(id => !known.has(id))) {
    await removeFrom(pieces, id)
  }
}

function parseRecord (value: unknown): ContentRecord {
  const { id, key, name, size } = parseFields(value, 'record')

  if (typeof id !== 'string' || !ID.test(id)) {
    throw new TypeError('record.id should be a UUID')
  }

  return {
    id,
    key: parseString(key, 'record.key', MAX_TEXT_LENGTH),
    name: parseString(name, 'record.name', MAX_TEXT_LENGTH),
    size: parseInteger(size, 'record.size')
  }
}
