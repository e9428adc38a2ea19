/**
 * Which entries a filter lets through.
 *
 * @module
 */

/** Narrows a query. */
export interface SearchFilter {
  /** Smallest size, in bytes. */
  minSize?: number

  /** Largest size, in bytes. */
  maxSize?: number

  /** A MIME type such as `video/mp4`, or all of a kind: `video/*`. */
  mediaType?: string

  /** The end of the name after the last dot, in any case: `mp4`. */
  extension?: string
}

/** What a filter looks at. */
export interface Filterable {
  name: string
  size: number
  mediaType?: string
}

/** Makes the test of a filter, which is then quick. */
export function makeFilter ({ minSize = 0, maxSize = Infinity, mediaType, extension }: SearchFilter): (entry: Filterable) => boolean {
  const type = mediaType?.toLowerCase()
  const kind = type?.endsWith('/*') === true ? type.slice(0, -1) : undefined
  const ending = extension == null ? undefined : `.${extension.replace(/^\./, '').toLowerCase()}`

  return ({ name, size, mediaType }) => {
    if (size < minSize || size > maxSize) {
      return false
    }

    if (ending != null && !name.toLowerCase().endsWith(ending)) {
      return false
    }

    if (type == null) {
      return true
    }

    const own = mediaType?.toLowerCase()

    return own != null && (kind == null ? own === type : own.startsWith(kind))
  }
}
