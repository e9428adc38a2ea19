/**
 * MIME types from file names.
 *
 * @module
 */

import { Mime } from 'mime/lite'
import standardTypes from 'mime/types/standard.js'

/** Types without a standard of their own that people share nevertheless; `mime/types/other.js` has 800 for 20 KiB. */
const COMMON_TYPES = {
  'application/vnd.ms-excel': ['xls'],
  'application/vnd.ms-powerpoint': ['ppt'],
  'application/vnd.oasis.opendocument.spreadsheet': ['ods'],
  'application/vnd.oasis.opendocument.text': ['odt'],
  'application/vnd.openxmlformats-officedocument.presentationml.presentation': ['pptx'],
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': ['xlsx'],
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': ['docx'],
  'application/vnd.rar': ['rar'],
  'application/x-7z-compressed': ['7z'],
  'application/x-bittorrent': ['torrent'],
  'application/x-bzip2': ['bz2'],
  'application/x-mobipocket-ebook': ['mobi'],
  'application/x-subrip': ['srt'],
  'application/x-tar': ['tar'],
  'application/x-xz': ['xz'],
  'application/zstd': ['zst'],
  'audio/flac': ['flac'],
  'image/vnd.djvu': ['djvu'],
  'video/x-flv': ['flv'],
  'video/x-m4v': ['m4v'],
  'video/x-matroska': ['mkv'],
  'video/x-ms-wmv': ['wmv'],
  'video/x-msvideo': ['avi']
}

const types = new Mime(standardTypes, COMMON_TYPES)

/** The MIME type that goes with the end of a name, if there is one. */
export function mediaTypeOf (name: string): string | undefined {
  return types.getType(name) ?? undefined
}
