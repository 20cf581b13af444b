// The certificate of the HTTPS port: from files, read again when they change, else one of our own that is kept in memory.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { Cancel, Clock } from '../../clock.ts'
import { type Log, messageOf } from '../../log.ts'
import { InputError } from '../../problem.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '../certificates.ts'

interface PairSettings {
  readonly address: string
  readonly certificateDirectory: string
  readonly certificateFile: string
  readonly keyFile: string
}

interface PairFiles {
  readonly certificate: string
  readonly key: string
}

/** As upstream's. */
const ownLifeMs = 3 * 365 * 86_400_000
const lookAgainMs = 60_000

interface ServingPair extends Disposable {
  readonly current: KeyPair
  /** Signed by ourselves, in memory. */
  readonly isOwn: boolean
  /** Tells of each new pair until disposed of. */
  onChange(use: (pair: KeyPair) => void): void
}

/** @throws InputError where files are named that cannot be served */
export async function servingPair(
  settings: PairSettings,
  around: { readonly clock: Clock; readonly log: Log },
): Promise<ServingPair> {
  const files = filesOf(settings)
  if (files === undefined) {
    const current = await ownPair(settings.address, around.clock.now())
    return { current, isOwn: true, onChange: () => undefined, [Symbol.dispose]: () => undefined }
  }
  return new FilePair(files, await firstPair(files), around)
}

/** Named files, else those that lie in the directory; `undefined`: none. */
function filesOf({ certificateFile, keyFile, certificateDirectory }: PairSettings): PairFiles | undefined {
  if (certificateFile !== '' || keyFile !== '') {
    if (certificateFile !== '' && keyFile !== '') return { certificate: certificateFile, key: keyFile }
    const [where, other] =
      certificateFile === '' ? ['--tls-cert-file', '--tls-private-key-file'] : ['--tls-private-key-file', '--tls-cert-file']
    throw new InputError([{ code: 'flag-value', where, found: '', expected: `a file, as ${other} is given` }])
  }
  if (certificateDirectory === '') return undefined
  const inside = { certificate: join(certificateDirectory, 'apiserver.crt'), key: join(certificateDirectory, 'apiserver.key') }
  return existsSync(inside.certificate) && existsSync(inside.key) ? inside : undefined
}

async function firstPair(files: PairFiles): Promise<KeyPair> {
  try {
    return await pairIn(files)
  } catch (error) {
    const where = `${files.certificate}, ${files.key}`
    const expected = 'a certificate and its key in PEM form'
    throw new InputError([{ code: 'serving-certificate', where, found: messageOf(error), expected }])
  }
}

/** @throws Error where a file is missing, or the two do not belong together */
async function pairIn(files: PairFiles): Promise<KeyPair> {
  const [certificate, key] = await Promise.all([readFile(files.certificate, 'utf8'), readFile(files.key, 'utf8')])
  createSecureContext({ cert: certificate, key })
  return { certificate, key }
}

async function ownPair(address: string, nowMs: number): Promise<KeyPair> {
  const stamp = Math.floor(nowMs / 1000)
  const authority = await issueAuthority({ commonName: `descheduler-ca@${stamp}`, nowMs, lifeMs: ownLifeMs })
  const isNamed = isIP(address) !== 0 && address !== '0.0.0.0' && address !== '::'
  const leaf = await issueLeaf(authority, {
    commonName: `descheduler@${stamp}`,
    dnsNames: ['localhost', 'descheduler'],
    ipAddresses: ['127.0.0.1', '::1', ...(isNamed ? [address] : [])],
    usages: ['server'],
    nowMs,
    lifeMs: ownLifeMs,
  })
  return { certificate: `${leaf.certificate}\n${authority.certificate}`, key: leaf.key }
}

class FilePair implements ServingPair {
  readonly isOwn = false
  readonly #files: PairFiles
  readonly #around: { readonly clock: Clock; readonly log: Log }
  #isOver = false
  #cancel: Cancel = () => undefined
  #current: KeyPair

  constructor(files: PairFiles, first: KeyPair, around: { readonly clock: Clock; readonly log: Log }) {
    this.#files = files
    this.#current = first
    this.#around = around
  }

  get current(): KeyPair {
    return this.#current
  }

  onChange(use: (pair: KeyPair) => void): void {
    const { clock } = this.#around
    const lookLater = () => {
      if (!this.#isOver) this.#cancel = clock.schedule(lookAgainMs, () => void this.#look(use).then(lookLater))
    }
    lookLater()
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    this.#cancel()
  }

  /** What cannot be served leaves what was there before. */
  async #look(use: (pair: KeyPair) => void): Promise<void> {
    const { log, clock } = this.#around
    using _ = clock.hold()
    const facts = { certificate: this.#files.certificate }
    try {
      const found = await pairIn(this.#files)
      if (this.#isOver) return
      if (found.certificate === this.#current.certificate && found.key === this.#current.key) return
      use(found)
      this.#current = found
      log.info(facts, 'the serving certificate was renewed')
    } catch (error) {
      log.warn({ ...facts, why: messageOf(error) }, 'the serving certificate cannot be used, the old one stays')
    }
  }
}
