// The agents' certificates from a directory that a Secret is mounted at: read at the start, and again while we run, since they are renewed.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { PeerIdentity } from '../contract.ts'

const lookAgainMs = 10_000
const largestFile = 262_144

interface PeerCertificatesOptions {
  /** Folder of `ca.crt`, `tls.crt` and `tls.key`. */
  readonly directory: string
  readonly clock: Clock
  readonly log: Log
}

/** What is there at first, and what comes later. What cannot be used leaves what was there before, and is said once. */
export class PeerCertificates implements AsyncDisposable {
  readonly #options: PeerCertificatesOptions
  readonly #listeners = new Set<(identity: PeerIdentity) => void>()
  readonly #stop = new AbortController()
  #current: PeerIdentity | undefined
  #told: string | undefined
  #running: Promise<void> = Promise.resolve()

  private constructor(options: PeerCertificatesOptions) {
    this.#options = options
  }

  /** Reads the directory once, whether or not something is there, and looks again every 10 s. */
  static async open(options: PeerCertificatesOptions): Promise<PeerCertificates> {
    const certificates = new PeerCertificates(options)
    await certificates.look()
    certificates.#running = certificates.#run()
    return certificates
  }

  get current(): PeerIdentity | undefined {
    return this.#current
  }

  /** Told of each that comes, until disposed of. */
  onChange(listener: (identity: PeerIdentity) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** Reads the directory now. */
  async look(): Promise<void> {
    const { directory, log } = this.#options
    try {
      const found = await read(directory)
      this.#told = undefined
      if (isSame(found, this.#current)) return
      this.#current = found
      log.info({ directory }, 'certificate for other agents taken')
      for (const listener of this.#listeners) listener(found)
    } catch (error) {
      const why = messageOf(error)
      if (why !== this.#told) log.warn({ directory, why }, 'no usable certificate for other agents')
      this.#told = why
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('no longer looked at', 'AbortError'))
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    const { clock } = this.#options
    try {
      for (;;) {
        await clock.after(lookAgainMs, signal)
        await this.look()
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}

async function read(directory: string): Promise<PeerIdentity> {
  const [ca, certificate, key] = await Promise.all(['ca.crt', 'tls.crt', 'tls.key'].map(name => textOf(join(directory, name))))
  if (ca === undefined || certificate === undefined || key === undefined) throw new Error(`${directory}: a file is missing`)
  // Half of a renewal, or no PEM, is found out here.
  createSecureContext({ ca, cert: certificate, key })
  return { ca, certificate, key }
}

async function textOf(path: string): Promise<string> {
  const bytes = await readFile(path)
  if (bytes.length > largestFile) throw new Error(`${path}: more than ${largestFile} bytes`)
  return bytes.toString('utf8')
}

function isSame(one: PeerIdentity, other: PeerIdentity | undefined): boolean {
  return other !== undefined && one.ca === other.ca && one.certificate === other.certificate && one.key === other.key
}
