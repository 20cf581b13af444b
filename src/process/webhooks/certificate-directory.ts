// A certificate from files that others write and renew (an installer, cert-manager): read at the start, and again when they change.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cancel, Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KeyPair } from '#kube/server/certificates.ts'
import { CommandRefused } from '../surroundings.ts'

export interface ServedCertificate {
  readonly tls: KeyPair
  /** What API servers are to trust. */
  readonly bundle: string
}

const lookAgainMs = 10_000
const files = { certificate: 'tls.crt', key: 'tls.key', bundle: 'ca.crt' } as const

export class CertificateDirectory {
  readonly #directory: string
  #current: ServedCertificate

  /** `flag` names the directory. @throws CommandRefused where a file is missing, naming it */
  constructor(directory: string, flag = '--webhook-cert-dir') {
    this.#directory = directory
    try {
      this.#current = read(directory)
    } catch (error) {
      throw new CommandRefused(`${flag}: ${messageOf(error)}, expected the files ${Object.values(files).join(', ')} in PEM`)
    }
  }

  get current(): ServedCertificate {
    return this.#current
  }

  /** Tells of each change until disposed of. What cannot be read, or is refused by `onChange`, leaves what was there before, and is said. */
  watch(onChange: (changed: ServedCertificate) => void, around: { readonly clock: Clock; readonly log: Log }): Disposable {
    const { clock, log } = around
    let cancel: Cancel = () => undefined
    const look = () => {
      try {
        const found = read(this.#directory)
        if (JSON.stringify(found) !== JSON.stringify(this.#current)) {
          onChange(found)
          this.#current = found
          log.info({ directory: this.#directory }, 'the certificate was renewed')
        }
      } catch (error) {
        log.warn({ directory: this.#directory, why: messageOf(error) }, 'the certificate cannot be used, the old one stays')
      }
      cancel = clock.schedule(lookAgainMs, look)
    }
    cancel = clock.schedule(lookAgainMs, look)
    return { [Symbol.dispose]: () => cancel() }
  }
}

function read(directory: string): ServedCertificate {
  const text = (name: string) => readFileSync(join(directory, name), 'utf8')
  return { tls: { certificate: text(files.certificate), key: text(files.key) }, bundle: text(files.bundle) }
}
