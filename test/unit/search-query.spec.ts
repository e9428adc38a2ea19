import { expect } from 'chai'
import { CID } from 'multiformats/cid'
import { makeFilter } from '../../src/search/core/filter.ts'
import { queryFault, understand } from '../../src/search/core/query.ts'
import { makeCid } from '../fixtures/search-shelf.ts'

describe('search: query', () => {
  const raw = makeCid('content')
  const dagPb = CID.createV1(0x70, raw.multihash)

  it('takes words', () => {
    expect(understand('  Some words ')).to.deep.equal({ type: 'words', name: 'some words', words: ['some', 'words'] })
  })

  it('takes at most 16 words', () => {
    const text = Array.from({ length: 30 }, (_, i) => String.fromCharCode(97 + i % 26, 97 + (i >> 3))).join(' ')

    expect(understand(text)).to.have.property('words').with.lengthOf(16)
  })

  for (const text of ['"Some name.txt"', '“Some Name.TXT”', '  "some name.txt" ']) {
    it(`takes ${text} for a whole name`, () => {
      expect(understand(text)).to.deep.equal({ type: 'name', name: 'some name.txt' })
    })
  }

  it('takes a text without letters and digits for a name', () => {
    expect(understand('!!!')).to.deep.equal({ type: 'name', name: '!!!' })
    expect(understand('"')).to.deep.equal({ type: 'name', name: '"' })
  })

  it('takes quotes within a text for nothing special', () => {
    expect(understand('the "big" one')).to.have.property('words').that.deep.equals(['the', 'big', 'one'])
  })

  for (const text of [String(raw), ` ${raw}\n`, dagPb.toV0().toString(), String(dagPb)]) {
    it(`takes ${text.trim()} for a CID`, () => {
      const wanted = understand(text)

      expect(wanted.type).to.equal('cid')
      expect(String((wanted as { cid: CID }).cid)).to.equal(String(text.includes(String(raw)) ? raw : dagPb))
    })
  }

  it('takes what looks like a CID for words', () => {
    expect(understand(`${String(raw)}x`).type).to.equal('words')
    expect(understand('b'.repeat(59)).type).to.equal('words')
  })

  const faults: Array<[text: string, fault: string | undefined]> = [
    ['a', undefined],
    ['x'.repeat(260), undefined],
    ['', 'the query is empty'],
    [' \n\t', 'the query is empty'],
    ['x'.repeat(261), 'the query is longer than 260 characters'],
    ['\ud800', 'the query is not Unicode']
  ]

  for (const [text, fault] of faults) {
    it(`${fault == null ? 'accepts' : 'refuses'} ${text.length} characters${fault == null ? '' : `: ${fault}`}`, () => {
      expect(queryFault(text)).to.equal(fault)
    })
  }
})

describe('search: filter', () => {
  const film = { name: 'A film.MP4', size: 1000, mediaType: 'video/mp4' }
  const unknown = { name: 'README', size: 0 }
  const cases: Array<[filter: Parameters<typeof makeFilter>[0], film: boolean, unknown: boolean]> = [
    [{}, true, true],
    [{ minSize: 1000, maxSize: 1000 }, true, false],
    [{ minSize: 1001 }, false, false],
    [{ maxSize: 999 }, false, true],
    [{ mediaType: 'video/mp4' }, true, false],
    [{ mediaType: 'Video/MP4' }, true, false],
    [{ mediaType: 'video/*' }, true, false],
    [{ mediaType: 'audio/*' }, false, false],
    [{ mediaType: 'video/mp' }, false, false],
    [{ extension: 'mp4' }, true, false],
    [{ extension: '.Mp4' }, true, false],
    [{ extension: 'p4' }, false, false],
    [{ extension: 'mp4', maxSize: 10 }, false, false]
  ]

  for (const [filter, expectedFilm, expectedUnknown] of cases) {
    it(`narrows by ${JSON.stringify(filter)}`, () => {
      const passes = makeFilter(filter)

      expect(passes(film)).to.equal(expectedFilm)
      expect(passes(unknown)).to.equal(expectedUnknown)
    })
  }
})
