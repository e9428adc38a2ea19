import { expect } from 'chai'
import { randomInt, seededRandom } from '../../src/random.ts'
import { Bitfield } from '../../src/transfer/core/bitfield.ts'
import { Picker } from '../../src/transfer/core/picker.ts'

const ANY = (): boolean => true

function bitfield (size: number, ...pieces: number[]): Bitfield {
  const have = new Bitfield(size)
  pieces.forEach(piece => { have.add(piece) })

  return have
}

/** A picker past its first pieces, which are chosen at random. */
function makePicker (size: number, seed = 1): Picker {
  const picker = new Picker(size, seededRandom(seed))

  for (let i = 0; i < 4; i++) {
    picker.take(0)
    picker.put(0)
  }

  return picker
}

function pickAll (picker: Picker): number[] {
  const order: number[] = []

  for (let piece = picker.pick(ANY); piece !== undefined; piece = picker.pick(ANY)) {
    picker.take(piece)
    order.push(piece)
  }

  return order
}

describe('transfer: picker', () => {
  it('picks the rarest first', () => {
    const picker = makePicker(4)
    picker.count(bitfield(4, 0, 1, 2), 1)
    picker.count(bitfield(4, 0, 1), 1)
    picker.count(bitfield(4, 0), 1)

    expect(pickAll(picker)).to.deep.equal([3, 2, 1, 0])
  })

  it('picks any of those that are equally rare', () => {
    const first = new Set(Array.from({ length: 200 }, (_, seed) => makePicker(10, seed).pick(ANY)))

    expect(first.size).to.equal(10)
  })

  it('picks the first four at random, however common they are', () => {
    const size = 100
    const rare = bitfield(size, ...Array.from({ length: size - 1 }, (_, i) => i + 1))
    let rareFirst = 0

    for (let seed = 0; seed < 100; seed++) {
      const picker = new Picker(size, seededRandom(seed))
      picker.count(rare, 1)
      const order = pickAll(picker)
      rareFirst += order.slice(0, 4).includes(0) ? 1 : 0

      expect(order.slice(0, 5).includes(0), `piece 0 is the fifth at the latest, seed ${seed}`).to.equal(true)
    }

    // 4 in 100 by chance
    expect(rareFirst).to.be.below(15)
  })

  it('picks only what is offered', () => {
    const picker = makePicker(5)

    expect(picker.pick(piece => piece === 3)).to.equal(3)
    expect(picker.pick(() => false)).to.equal(undefined)
  })

  it('finds the only piece that is offered, even among the first', () => {
    expect(new Picker(10_000, seededRandom(1)).pick(piece => piece === 4_321)).to.equal(4_321)
  })

  it('leaves out what is done or taken, until it is put back', () => {
    const picker = new Picker(3, seededRandom(1), bitfield(3, 1))

    expect(picker.left).to.equal(2)
    expect(picker.has(1)).to.equal(false)
    picker.take(0)
    picker.take(0)
    expect(picker.left).to.equal(1)
    expect(picker.pick(ANY)).to.equal(2)
    picker.put(0)
    picker.put(0)
    expect(picker.left).to.equal(2)
    expect(picker.has(0)).to.equal(true)
  })

  it('counts those who have everything apart', () => {
    const picker = makePicker(2)
    picker.count(Bitfield.full(2), 1)
    picker.count(bitfield(2, 0), 1)

    expect([picker.availability(0), picker.availability(1)]).to.deep.equal([2, 1])
    picker.count(Bitfield.full(2), -1)
    expect([picker.availability(0), picker.availability(1)]).to.deep.equal([1, 0])
  })

  it('forgets who left after getting the last piece', () => {
    const picker = makePicker(2)
    const have = bitfield(2, 0)
    picker.count(have, 1)
    have.add(1)
    picker.add(1, have)

    expect([picker.availability(0), picker.availability(1)]).to.deep.equal([1, 1])
    picker.count(have, -1)
    expect([picker.availability(0), picker.availability(1)]).to.deep.equal([0, 0])
  })

  it('agrees with counting anew, whatever happens', () => {
    const random = seededRandom(7)
    const size = 20
    const picker = makePicker(size)
    const peers: Bitfield[] = []
    const taken = new Set<number>()

    for (let step = 0; step < 5_000; step++) {
      const piece = randomInt(random, size)
      const peer = peers[randomInt(random, peers.length)] as Bitfield | undefined
      const what = random()

      if (what < 0.1 && peers.length < 8) {
        const have = new Bitfield(size)
        peers.push(have)
        picker.count(have, 1)
      } else if (what < 0.13 && peer !== undefined) {
        peers.splice(peers.indexOf(peer), 1)
        picker.count(peer, -1)
      } else if (what < 0.7 && peer?.add(piece) === true) {
        picker.add(piece, peer)
      } else if (what < 0.85) {
        taken.add(piece)
        picker.take(piece)
      } else {
        taken.delete(piece)
        picker.put(piece)
      }

      const availability = Array.from({ length: size }, (_, piece) => peers.filter(have => have.has(piece)).length)
      const waiting = availability.filter((_, piece) => !taken.has(piece))
      const picked = picker.pick(ANY)

      expect(Array.from({ length: size }, (_, piece) => picker.availability(piece))).to.deep.equal(availability)
      expect(picker.left).to.equal(waiting.length)
      expect(picked === undefined ? undefined : availability[picked]).to.equal(waiting.length === 0 ? undefined : Math.min(...waiting))
      expect(picked === undefined || !taken.has(picked)).to.equal(true)
    }
  })

  it('changes what it knows of a piece in no more time for more pieces', () => {
    const timeOf = (size: number): number => {
      const picker = makePicker(size)
      const have = new Bitfield(size + 1)
      const start = performance.now()

      for (let piece = 0; piece < 20_000; piece++) {
        picker.add(piece % size, have)
      }

      return performance.now() - start
    }

    // the fastest times, since others use the machine too; linear time would be a thousand times as much
    const [few, many] = [1_000, 1_000_000].map(size => Math.min(...Array.from({ length: 3 }, () => timeOf(size))))
    expect(many).to.be.below(100 * few + 20)
  })
})
