import { expect } from 'chai'
import { base16 } from 'multiformats/bases/base16'
import { CID } from 'multiformats/cid'
import { Items } from '../../src/contingency/items.ts'
import { buildSnapshot, readPage, readRoot } from '../../src/contingency/snapshot.ts'
import file from './items.json' with { type: 'json' }
import type { Item } from '../../src/contingency/items.ts'

const { baseDecode: bytesOf, baseEncode: hexOf } = base16

/** An item of the file, where CIDs are text and bytes are hex. */
function itemOf (written: typeof file.items[number]): Item {
  const { cid, type, name, ...rest } = written

  return { ...rest, type, ...(cid != null && { cid: CID.parse(cid) }), ...(name != null && { name: type === 'vault' ? bytesOf(name) : name }) } as Item
}

describe('contingency items: version 1', () => {
  it('is read as it was written', () => {
    expect(readPage(bytesOf(file.page), 0, 1)).to.deep.equal(file.items.map(itemOf))

    const { items, bytes, pages } = readRoot(bytesOf(file.root))
    expect({ items, bytes, pages: pages.map(String) }).to.deep.equal({ items: 4, bytes: 5_000_013, pages: [file.pageCid] })
  })

  it('is written to the same bytes', () => {
    const items = new Items()
    items.merge(file.items.map(itemOf))
    const { root, blocks } = buildSnapshot(items)

    expect(String(root)).to.equal(file.rootCid)
    expect([...blocks].map(([cid, bytes]) => [cid, hexOf(bytes)])).to.deep.equal([[file.rootCid, file.root], [file.pageCid, file.page]])
  })
})
