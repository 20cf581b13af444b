// User and password that containerd has to say, compared in a time that tells nothing of them.
import { createHash, timingSafeEqual } from 'node:crypto'

interface Credentials {
  readonly username: string
  readonly password: string
}

/** Whether the header `Authorization` says them; true where none are asked for. A user without a password has the empty one. */
export function isAuthorized(header: string | undefined, wanted: Credentials | undefined): boolean {
  if (wanted === undefined) return true
  const said = /^basic +([A-Za-z0-9+/_=-]*) *$/i.exec(header ?? '')?.[1]
  const given = said === undefined ? '' : Buffer.from(said, 'base64').toString('utf8')
  // Both hashes have the same length whatever was said, so that not even the length can be timed.
  const isSame = timingSafeEqual(hashOf(given), hashOf(`${wanted.username}:${wanted.password}`))
  return said !== undefined && isSame
}

const hashOf = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest()
