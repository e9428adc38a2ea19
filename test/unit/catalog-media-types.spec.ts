import { expect } from 'chai'
import { mediaTypeOf } from '../../src/catalog/media-type.ts'

describe('catalog media types', () => {
  const cases: Array<[string, string | undefined]> = [
    ['a.mp4', 'video/mp4'],
    ['A.B.MKV', 'video/x-matroska'],
    ['song.flac', 'audio/flac'],
    ['notes.txt', 'text/plain'],
    ['letter.docx', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
    ['page.htm', 'text/html'],
    ['book.epub', 'application/epub+zip'],
    ['subtitles.srt', 'application/x-subrip'],
    ['README', undefined],
    ['what.is-this', undefined],
    ['.', undefined]
  ]

  cases.forEach(([name, type]) => {
    it(`of ${name} is ${type}`, () => {
      expect(mediaTypeOf(name)).to.equal(type)
    })
  })
})
