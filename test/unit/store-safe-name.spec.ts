import { expect } from 'chai'
import { randomInt, seededRandom } from '../../src/random.ts'
import { cutName, MAX_NAME_SIZE, numberedName, safeName } from '../../src/store/safe-name.ts'

const bytes = (text: string): number => new TextEncoder().encode(text).length

describe('store: safe name', () => {
  const names: Array<[name: string, safe: string]> = [
    ['film.mkv', 'film.mkv'],
    ['ein schöner Tag (2).txt', 'ein schöner Tag (2).txt'],
    ['日本語.pdf', '日本語.pdf'],
    ['👩‍👩‍👧.png', '👩‍👩‍👧.png'],
    ['../../x', 'x'],
    ['/etc/x', 'x'],
    ['a/b/c.txt', 'c.txt'],
    ['C:\\x', 'x'],
    ['C:x', 'C_x'],
    ['..\\..\\x', 'x'],
    ['x/', 'unnamed'],
    ['x:stream', 'x_stream'],
    ['', 'unnamed'],
    ['.', 'unnamed'],
    ['..', 'unnamed'],
    ['...', 'unnamed'],
    [' ', 'unnamed'],
    ['\u0000', 'unnamed'],
    ['. . .', 'unnamed'],
    ['a.', 'a'],
    ['a. . ', 'a'],
    ['  a b  ', 'a b'],
    ['.bashrc', '_bashrc'],
    ['..a', '_.a'],
    [' .a', '_a'],
    ['\u202e.a', '_a'],
    ['a\u0000b\nc\u007fd\u0085e', 'abcde'],
    ['annu\u202egpj.exe', 'annugpj.exe'],
    ['a\u2066b\u2069\u200f\u061c', 'ab'],
    ['a\u2028b\u2029c', 'abc'],
    ['<a>:"b"|c?*', '_a___b__c__'],
    ['con', '_con'],
    ['CON', '_CON'],
    ['con.txt', '_con.txt'],
    ['con .txt', '_con .txt'],
    ['con.tar.gz', '_con.tar.gz'],
    ['nul.', '_nul'],
    ['Aux', '_Aux'],
    ['prn.x', '_prn.x'],
    ['com1', '_com1'],
    ['lpt9.txt', '_lpt9.txt'],
    ['COM²', '_COM²'],
    ['CONIN$', '_CONIN$'],
    ['c\u0000on', '_con'],
    ['x/con', '_con'],
    ['cone', 'cone'],
    ['com10', 'com10'],
    ['com', 'com'],
    ['e\u0301', '\u00e9'],
    ['a\ud800b', 'a\ufffdb'],
    ['x'.repeat(10_000), 'x'.repeat(200)],
    [`${'x'.repeat(10_000)}.mkv`, `${'x'.repeat(196)}.mkv`],
    [`${'x'.repeat(100)}.${'y'.repeat(200)}`, `${'x'.repeat(100)}.${'y'.repeat(99)}`],
    [`${'x'.repeat(195)} .${'y'.repeat(100)}`, `${'x'.repeat(195)} .yyy`],
    [`${'x'.repeat(199)} y`, 'x'.repeat(199)],
    [`${'x'.repeat(194)}😀.mkv`, `${'x'.repeat(194)}.mkv`],
    [`${'é'.repeat(300)}.txt`, `${'é'.repeat(98)}.txt`]
  ]

  for (const [name, safe] of names) {
    it(`makes ${JSON.stringify(safe.slice(0, 30))} of ${JSON.stringify(name.slice(0, 30))} (${name.length})`, () => {
      expect(safeName(name)).to.equal(safe)
    })
  }

  it('makes any string a name that is safe, and leaves that as it is', () => {
    const random = seededRandom(1)
    const alphabet = [...'aZ.. /\\:*?"<>|\u0000\n\u202e\u2066é😀\u0301\ud800\udc00con1$', 'con', 'nul', 'lpt1', 'x'.repeat(80), '日'.repeat(40)]

    for (let i = 0; i < 5000; i++) {
      const name = Array.from({ length: randomInt(random, 12) }, () => alphabet[randomInt(random, alphabet.length)]).join('')
      const safe = safeName(name)

      expect(safe).to.match(/^[^<>:"/\\|?*\p{Cc}\u202a-\u202e\u2066-\u2069]+$/u)
      expect(safe).to.match(/^[^.\s].*(?<![.\s])$|^[^.\s]$/su)
      expect(safe).to.not.match(/^(con|prn|aux|nul|com\d|lpt\d) *(\.|$)/i)
      expect(bytes(safe)).to.be.within(1, MAX_NAME_SIZE)
      expect(safe.isWellFormed()).to.equal(true)
      expect(safeName(safe)).to.equal(safe)
    }
  })

  const numbered: Array<[name: string, second: string]> = [
    ['a.txt', 'a (2).txt'],
    ['a', 'a (2)'],
    ['a.tar.gz', 'a.tar (2).gz'],
    ['_a.b', '_a (2).b'],
    ['no. this is a sentence and no extension', 'no. this is a sentence and no extension (2)']
  ]

  for (const [name, second] of numbered) {
    it(`makes ${second} of ${name} when it is taken`, () => {
      expect(numberedName(name, 2)).to.equal(second)
    })
  }

  it('cuts to any size without exceeding it', () => {
    for (let size = 30; size < 60; size++) {
      expect(bytes(cutName(`${'aé日😀'.repeat(9)}.txt`, size))).to.be.within(size - 4, size)
    }
  })
})
