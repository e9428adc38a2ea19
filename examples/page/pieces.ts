/**
 * A picture of the pieces of a content: each is a square that takes the colour
 * of whoever sent it.
 *
 * @module
 */

import { PIECE_SIZE } from 'formicary/content'
import { count } from './words.ts'

/** Squares in a picture; in a large content each stands for several pieces. */
const MAX_SQUARES = 256

/** Colours there are for peers; more peers share them. */
const COLOURS = 8

/** Who sent pieces that an earlier download had. */
const EARLIER = { key: '', name: 'here before' }

/** Who sent a piece. */
export interface Sender {
  key: string
  name: string
}

interface Line extends Sender {
  item: HTMLElement
  pieces: number
  remark: string
}

/** One picture, and what its colours mean. */
export class Pieces {
  readonly #picture: HTMLElement
  readonly #legend: HTMLElement
  readonly #from = new Map<number, Sender>()
  readonly #lines = new Map<string, Line>()
  #total = 0

  constructor (picture: HTMLElement, legend: HTMLElement) {
    this.#picture = picture
    this.#legend = legend
  }

  /** The content has so many bytes. */
  set size (bytes: number) {
    const total = Math.ceil(bytes / PIECE_SIZE)

    if (total !== this.#total) {
      this.#total = total
      this.#picture.replaceChildren(...Array.from({ length: Math.min(total, MAX_SQUARES) }, () => document.createElement('span')))
      this.#from.forEach((sender, piece) => { this.#paint(piece, sender) })
      this.#describe()
    }
  }

  /** A piece is here; without a sender, since before. */
  add (piece: number, sender = EARLIER): void {
    if (!this.#from.has(piece)) {
      this.#from.set(piece, sender)
      this.#line(sender).pieces++
      this.#paint(piece, sender)
      this.#describe()
    }
  }

  /** All pieces are here. */
  complete (): void {
    for (let piece = 0; piece < this.#total; piece++) {
      this.add(piece)
    }
  }

  /** Something to know of a sender. */
  remark (sender: Sender, remark: string): void {
    this.#line(sender).remark = remark
    this.#describe()
  }

  #line (sender: Sender): Line {
    const line = this.#lines.get(sender.key) ?? { ...sender, item: document.createElement('li'), pieces: 0, remark: '' }

    if (!this.#lines.has(sender.key)) {
      const others = [...this.#lines.keys()].filter(key => key !== EARLIER.key).length
      line.item.dataset.colour = sender.key === EARLIER.key ? 'earlier' : String(others % COLOURS)
      this.#lines.set(sender.key, line)
      this.#legend.append(line.item)
    }

    return line
  }

  #paint (piece: number, sender: Sender): void {
    const squares = this.#picture.children
    const square = squares[Math.floor(piece * squares.length / this.#total)] as HTMLElement | undefined

    if (square != null) {
      const each = this.#total / squares.length
      const had = Number(square.dataset.had ?? 0) + 1
      square.dataset.had = String(had)
      square.dataset.colour = this.#line(sender).item.dataset.colour
      // paler while some of its pieces are missing
      square.style.opacity = String(Math.min(1, 0.3 + 0.7 * had / each))
    }
  }

  #describe (): void {
    for (const { item, name, pieces, remark } of this.#lines.values()) {
      item.textContent = `${name}: ${count(pieces, 'piece')}${remark === '' ? '' : `, ${remark}`}`
    }

    this.#picture.ariaLabel = `${this.#from.size} of ${count(this.#total, 'piece')} here`
  }
}
