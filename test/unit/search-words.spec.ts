import { expect } from 'chai'
import { foldName, wordsOf, wordsOfName } from '../../src/search/core/words.ts'

describe('search: words', () => {
  const cases: Array<[text: string, words: string[]]> = [
    ['', []],
    ['...--- !', []],
    ['holiday photos.jpg', ['holiday', 'photos', 'jpg']],
    ['HOLIDAY_Photos-2024', ['holiday', 'photos', '2024']],
    ['Español Especial', ['espanol', 'especial']],
    ['CAFÉ', ['cafe']],
    ['cafe\u0301', ['cafe']],
    ['myHolidayPhotos', ['my', 'holiday', 'photos']],
    ['XMLParser', ['xml', 'parser']],
    ['iPhone12Pro', ['i', 'phone', '12', 'pro']],
    ['S01E02', ['s', '01', 'e', '02']],
    ['ÉtéÀParis', ['ete', 'a', 'paris']],
    ['don\'t O’neill', ['dont', 'oneill']],
    ['Straße', ['strasse']],
    ['Ærø Łódź', ['aero', 'lodz']],
    ['İstanbul ılık', ['istanbul', 'ilik']],
    ['ﬁle ＡＢＣ', ['file', 'abc']],
    ['Война и мир', ['воина', 'и', 'мир']],
    ['Ἀχιλλεύς', ['αχιλλευς']],
    ['हिन्दी', ['हिन्दी']],
    ['東京物語', ['東京', '京物', '物語']],
    ['春', ['春']],
    ['ガラス', ['ガラ', 'ラス']],
    ['한국 영화', ['한국', '영화']],
    ['same Same SAME', ['same']]
  ]

  for (const [text, words] of cases) {
    it(`cuts ${JSON.stringify(text)}`, () => {
      expect([...wordsOf(text)]).to.deep.equal(words)
    })
  }

  it('keeps words of a name that were cut as a whole too', () => {
    expect([...wordsOfName('iPhone photo')]).to.deep.equal(['i', 'phone', 'iphone', 'photo'])
  })

  it('finds in a name all words of that name as a query', () => {
    for (const [text] of cases) {
      expect([...wordsOfName(text)]).to.include.members([...wordsOf(text)])
    }
  })

  it('takes plain text the short way with the same result', () => {
    const texts = ['A short way_to 12Go', 'XMLParser.TXT', 'it\'s']

    for (const text of texts) {
      // a letter that is not ASCII, as a word of its own, sends it the long way
      expect([...wordsOf(`${text} é`)]).to.deep.equal([...wordsOf(text), 'e'])
    }
  })

  it('compares names by their compatibility form, in any case, with accents', () => {
    expect(foldName('Cafe\u0301.TXT')).to.equal(foldName('CAFÉ.txt'))
    expect(foldName('cafe.txt')).not.to.equal(foldName('café.txt'))
    expect(foldName('ﬁle')).to.equal('file')
  })

  it('does not take ages for the longest names there are, against as much in short ones', () => {
    /** Ms for so many units, in names of so many; the fastest of some times, since others use the machine too. */
    function timeOf (unit: string, length: number): number {
      const name = unit.repeat(length)

      return Math.min(...Array.from({ length: 5 }, () => {
        const started = performance.now()

        for (let units = 0; units < 1_024; units += length) {
          wordsOfName(name)
        }

        return performance.now() - started
      }))
    }

    for (const unit of ['aB', 'a1', 'é', 'é́', '東', 'A', '\u0301', '\'', 'a ']) {
      // clocks of browsers are coarse; normalization takes the square of the length for accents on one letter, which is 16 times as long, and nothing may take its cube
      expect(timeOf(unit, 1_024), unit).to.be.below(50 * timeOf(unit, 64) + 5)
    }
  })
})
