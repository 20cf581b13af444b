// Certificates for names that clients ask for.
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import type { KeyPair } from '../certificates.ts'

export interface NamedPair {
  readonly pair: KeyPair
  /** `a.example.io`, `*.example.io`. */
  readonly names: readonly string[]
}

type Contexts = (pair: KeyPair) => SecureContextOptions

/** The context of the first pair that has the name a client asks for; none: the server's own. */
export function byName(namedPairs: () => readonly NamedPair[], contextOf: Contexts) {
  return (name: string, done: (error: Error | null, context?: SecureContext) => void): void => {
    const asked = name.toLowerCase()
    const found = namedPairs().find(({ names }) => names.some(pattern => fitsName(pattern.toLowerCase(), asked)))
    try {
      done(null, found === undefined ? undefined : createSecureContext(contextOf(found.pair)))
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)))
    }
  }
}

/** A star stands for the first label. */
function fitsName(pattern: string, name: string): boolean {
  return (
    pattern === name || (pattern.startsWith('*.') && name.includes('.') && name.slice(name.indexOf('.')) === pattern.slice(1))
  )
}
