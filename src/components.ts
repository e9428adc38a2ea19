/**
 * A part of the libp2p node that may be missing. libp2p throws when a
 * component is asked for that was never set, so asking is all there is to do.
 *
 * @param read - reads the component
 */
export function optionalComponent<T> (read: () => T | undefined): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
