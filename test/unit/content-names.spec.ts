import { expect } from 'chai'
import { nameFault } from '../../src/content/names.ts'

describe('content: names', () => {
  const good = ['a', 'Ünïcödé name.txt', 'cafe\u0301.pdf', '.hidden', '...', 'a\\b', 'con', '日本語', '👩‍🚀.png', 'x'.repeat(255), 'é'.repeat(127), '東'.repeat(85), '🐜'.repeat(63)]

  good.forEach(name => {
    it(`takes ${JSON.stringify(name.slice(0, 20))} of ${name.length}`, () => {
      expect(nameFault(name)).to.equal(undefined)
    })
  })

  const bad: Array<[string, string]> = [
    ['', 'it names nothing'],
    ['.', 'it names nothing'],
    ['..', 'it names nothing'],
    ['a/b', 'it has a /'],
    ['../../x', 'it has a /'],
    ['a\0b', 'it has control characters'],
    ['a\nb', 'it has control characters'],
    ['\u001b[2J', 'it has control characters'],
    ['a\u0085', 'it has control characters'],
    ['\ud800', 'it is not Unicode'],
    ['x'.repeat(256), 'it is longer than 255 bytes'],
    ['é'.repeat(128), 'it is longer than 255 bytes'],
    ['東'.repeat(86), 'it is longer than 255 bytes'],
    ['🐜'.repeat(64), 'it is longer than 255 bytes']
  ]

  bad.forEach(([name, fault]) => {
    it(`refuses ${JSON.stringify(name.slice(0, 20))} of ${name.length}`, () => {
      expect(nameFault(name)).to.equal(fault)
    })
  })
})
