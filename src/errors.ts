/**
 * Every error this library throws on purpose. Match on `name`, not
 * `instanceof`: two copies of a package in one bundle have two classes.
 *
 * @module
 */

/** A peer sent, or we were asked to send, a message over the agreed size. */
export class MessageTooLargeError extends Error {
  static name = 'MessageTooLargeError'
  static code = 'ERR_MESSAGE_TOO_LARGE'
  name = MessageTooLargeError.name
  code = MessageTooLargeError.code

  constructor (message = 'Message too large', options?: ErrorOptions) {
    super(message, options)
  }
}

/** A peer sent something we could not read; `cause` says why. */
export class InvalidMessageError extends Error {
  static name = 'InvalidMessageError'
  static code = 'ERR_INVALID_MESSAGE'
  name = InvalidMessageError.name
  code = InvalidMessageError.code

  constructor (message = 'Invalid message', options?: ErrorOptions) {
    super(message, options)
  }
}

/** A peer broke the rules of a protocol; its stream is aborted. */
export class ProtocolError extends Error {
  static name = 'ProtocolError'
  static code = 'ERR_PROTOCOL'
  name = ProtocolError.name
  code = ProtocolError.code

  constructor (message = 'Protocol error', options?: ErrorOptions) {
    super(message, options)
  }
}

/** A node of a content's DAG is not what the profile allows, or over a limit; nothing of it was kept. */
export class InvalidManifestError extends Error {
  static name = 'InvalidManifestError'
  static code = 'ERR_INVALID_MANIFEST'
  name = InvalidManifestError.name
  code = InvalidManifestError.code

  constructor (message = 'Invalid manifest', options?: ErrorOptions) {
    super(message, options)
  }
}

/** Nobody that can be reached has what was asked for. What was verified so far is kept. */
export class NotFoundError extends Error {
  static name = 'NotFoundError'
  static code = 'ERR_NOT_FOUND'
  name = NotFoundError.name
  code = NotFoundError.code

  constructor (message = 'Not found', options?: ErrorOptions) {
    super(message, options)
  }
}

/** An option or argument has a value that cannot be used; nothing was done. */
export class InvalidParametersError extends Error {
  static name = 'InvalidParametersError'
  static code = 'ERR_INVALID_PARAMETERS'
  name = InvalidParametersError.name
  code = InvalidParametersError.code

  constructor (message = 'Invalid parameters', options?: ErrorOptions) {
    super(message, options)
  }
}

/** Bytes could not be stored; `cause` says why. What was stored before is kept. */
export class StoreWriteError extends Error {
  static name = 'StoreWriteError'
  static code = 'ERR_STORE_WRITE'
  name = StoreWriteError.name
  code = StoreWriteError.code

  constructor (message = 'Could not store bytes', options?: ErrorOptions) {
    super(message, options)
  }
}

/** There is no room left: the disk is full, or the store's own limit is reached. What was stored before is kept. */
export class StoreFullError extends Error {
  static name = 'StoreFullError'
  static code = 'ERR_STORE_FULL'
  name = StoreFullError.name
  code = StoreFullError.code

  constructor (message = 'No room left in the store', options?: ErrorOptions) {
    super(message, options)
  }
}

/** The bytes behind an entry changed, shrank or vanished since they were hashed; none of the new ones were used. */
export class ContentChangedError extends Error {
  static name = 'ContentChangedError'
  static code = 'ERR_CONTENT_CHANGED'
  name = ContentChangedError.name
  code = ContentChangedError.code

  constructor (message = 'Content changed', options?: ErrorOptions) {
    super(message, options)
  }
}

/** Another node is running on the same `dataDir`; nothing in it was touched. */
export class DataDirInUseError extends Error {
  static name = 'DataDirInUseError'
  static code = 'ERR_DATA_DIR_IN_USE'
  name = DataDirInUseError.name
  code = DataDirInUseError.code

  constructor (message = 'The data folder is in use by another node', options?: ErrorOptions) {
    super(message, options)
  }
}

/** An address cannot be listened on: it is taken, or not of this machine. Nothing is running; `cause` says why. */
export class ListenError extends Error {
  static name = 'ListenError'
  static code = 'ERR_LISTEN'
  name = ListenError.name
  code = ListenError.code

  constructor (message = 'Could not listen', options?: ErrorOptions) {
    super(message, options)
  }
}

/** The service is not running: `start()` has not been called, or `stop()` has. */
export class NotStartedError extends Error {
  static name = 'NotStartedError'
  static code = 'ERR_NOT_STARTED'
  name = NotStartedError.name
  code = NotStartedError.code

  constructor (message = 'Not started', options?: ErrorOptions) {
    super(message, options)
  }
}

/** Encrypted bytes cannot be read: they are damaged, or were encrypted with another key or passphrase. Nothing changed. */
export class DecryptionError extends Error {
  static name = 'DecryptionError'
  static code = 'ERR_DECRYPTION'
  name = DecryptionError.name
  code = DecryptionError.code

  constructor (message = 'Could not decrypt', options?: ErrorOptions) {
    super(message, options)
  }
}
