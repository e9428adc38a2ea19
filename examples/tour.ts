/**
 * The tour: three members of a colony, each in a process of its own, share
 * their files; one finds a film, fetches it from two others, loses one of them
 * half-way, hears of its death, and goes on; a fourth comes and fetches it from all who have it,
 * and a document of the dead one from those who keep it for her.
 *
 * Run it with `npm start`. It needs about 1.2 GiB of disk for a few seconds,
 * and leaves nothing behind.
 */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, extname, join } from 'node:path'
import { Member } from './tour/process.ts'
import { makeDocuments, makeFilm } from './tour/words.ts'
import type { News } from './tour/member.ts'

const MIB = 1024 * 1024
const FILM = 'Expedición al hormiguero – versión íntegra (1958).mkv'
const FILM_SIZE = 256 * MIB
const QUERY = 'expedicion hormiguero'
const DOCUMENTS = 100

/** Bytes a second that each holder sends at most, so that there is time to look. */
const UPLOAD_LIMIT = 40_000_000

const begun = performance.now()
const folder = await mkdtemp(join(tmpdir(), 'formicary-tour-'))
const members: Member[] = []
const names = new Map<string, string>()

function say (text: string): void {
  const seconds = ((performance.now() - begun) / 1000).toFixed(2)
  console.log(`${seconds.padStart(6)} s  ${text}`)
}

function size (bytes: number): string {
  return bytes < MIB ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / MIB).toFixed(0)} MiB`
}

function nameOf (peerId: string): string {
  return names.get(peerId) ?? 'somebody'
}

function begin (name: string): Member {
  const member = new Member(name)
  members.push(member)

  return member
}

async function enter (member: Member, bootstrap: string[], uploadLimit?: number): Promise<string[]> {
  const { peerId, addresses } = await member.ask('start', { name: member.name, dataDir: join(folder, member.name, 'data'), bootstrap, uploadLimit })
  names.set(peerId, member.name)
  say(`${member.name} is in the colony as ${peerId.slice(0, 8)}…${peerId.slice(-6)}${bootstrap.length > 0 ? ', through the one address she was told' : ''}`)

  return addresses
}

async function share (member: Member): Promise<void> {
  const start = performance.now()
  const { files, bytes } = await member.ask('share', { folder: join(folder, member.name, 'files') })
  say(`${member.name} shares ${files} files, ${size(bytes)}, indexed in ${((performance.now() - start) / 1000).toFixed(2)} s; nothing was copied`)
}

/** Says how long it takes until two others keep what each of them has. */
async function settle (...owners: Member[]): Promise<void> {
  const start = performance.now()
  const copies = await Promise.all(owners.map(async owner => (await owner.ask('settle', {})).copies))
  say(`${Math.min(...copies)} others keep the documents of each, and have signed for them, after ${((performance.now() - start) / 1000).toFixed(1)} s`)
}

async function search (member: Member, query = QUERY): Promise<void> {
  say(`${member.name} searches for "${query}"`)
  const start = performance.now()
  const { count } = await member.ask('search', { query }, news => {
    if (news.type === 'hit') {
      const holder = news.local ? 'here, on her own disk' : `at ${nameOf(news.holder)}`
      const where = news.ward == null ? holder : `${holder}, who keeps it for ${nameOf(news.ward)}`
      say(`    after ${(performance.now() - start).toFixed(0)} ms: ${news.name}, ${size(news.size)}, ${where}`)
    }
  })

  if (count === 0) {
    throw new Error(`${member.name} found nothing`)
  }
}

/** Draws the progress of a download: a bar on a terminal, a line for every quarter elsewhere. */
function progressBar (): (news: News) => void {
  let quarter = 0

  return news => {
    if (news.type !== 'progress') {
      return
    }

    const share = news.bytes / news.size
    const left = news.msLeft == null ? '' : `, ${(news.msLeft / 1000).toFixed(1)} s left`
    const bar = `[${'#'.repeat(Math.round(share * 30)).padEnd(30, '.')}]`
    const text = `${bar} ${(share * 100).toFixed(0).padStart(3)} %  ${size(news.bytes)}  ${(news.rate / 1e6).toFixed(0)} MB/s from ${news.peers} peer${news.peers === 1 ? '' : 's'}${left}`

    if (process.stdout.isTTY) {
      process.stdout.write(`\r          ${text}\u001b[K${share === 1 ? '\n' : ''}`)
    } else if (share * 4 >= quarter) {
      quarter = Math.floor(share * 4) + 1
      console.log(`          ${text}`)
    }
  }
}

async function download (member: Member, expected: string, onNews: (news: News) => void): Promise<void> {
  const start = performance.now()
  const { name, sha256 } = await member.ask('download', {}, onNews)
  const seconds = (performance.now() - start) / 1000
  say(`${member.name} has "${name}" after ${seconds.toFixed(1)} s; its SHA-256 is ${sha256 === expected ? 'the same as that of the original' : 'WRONG'}`)

  if (sha256 !== expected) {
    throw new Error('It was damaged on its way')
  }
}

async function sha256 (path: string): Promise<string> {
  const hash = createHash('sha256')

  for await (const bytes of createReadStream(path)) {
    hash.update(bytes)
  }

  return hash.digest('hex')
}

async function tour (): Promise<void> {
  say(`Three members get their files: ${DOCUMENTS} documents each, and two of them the same film of ${size(FILM_SIZE)}`)
  const [ada, bea, cleo] = ['ada', 'bea', 'cleo'].map(begin)

  const documents = await Promise.all(members.map(async ({ name }, i) => makeDocuments(join(folder, name, 'files'), i, DOCUMENTS)))

  await mkdir(join(folder, 'ada/files/Films'))
  await mkdir(join(folder, 'bea/files/Films'))
  await makeFilm(join(folder, 'ada/files/Films', FILM), FILM_SIZE)
  await copyFile(join(folder, 'ada/files/Films', FILM), join(folder, 'bea/files/Films', FILM))
  const expected = await sha256(join(folder, 'ada/files/Films', FILM))

  const addresses = await enter(ada, [], UPLOAD_LIMIT)
  await enter(bea, addresses, UPLOAD_LIMIT)
  await enter(cleo, addresses, UPLOAD_LIMIT)
  await Promise.all([ada, bea, cleo].map(share))
  await settle(ada, bea, cleo)

  await search(cleo)
  say('cleo fetches it from both at once; half-way bea will be killed')
  const draw = progressBar()
  let killed = false
  await download(cleo, expected, news => {
    draw(news)

    if (news.type === 'member') {
      process.stdout.write(process.stdout.isTTY ? '\n' : '')
      say(`cleo's node says: ${news.name} is ${news.state}`)
    }

    if (news.type === 'progress' && news.bytes > news.size / 2 && !killed) {
      killed = true
      void bea.kill().then(() => {
        process.stdout.write(process.stdout.isTTY ? '\n' : '')
        say('bea was killed; the download goes on')
      })
    }
  })

  const { table } = await cleo.ask('members', { until: 'bea down' })
  say(`who is here, as cleo knows it: ${table}`)
  await search(cleo)
  const dora = begin('dora')
  await enter(dora, addresses)
  await search(dora)
  say('dora fetches it from all who have it')
  await download(dora, expected, progressBar())
  const [lost] = documents[1]
  await search(dora, basename(lost, extname(lost)))
  say('nobody but bea had shared that; dora fetches it from those who keep it')
  await download(dora, await sha256(lost), () => {})
  say('That was the tour. How it is done: examples/tour/member.ts')
}

async function cleanUp (): Promise<void> {
  await Promise.all(members.map(async member => member.stop()))
  await rm(folder, { recursive: true, force: true })
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void cleanUp().finally(() => { process.exit(1) })
  })
}

try {
  await tour()
} finally {
  await cleanUp()
}
