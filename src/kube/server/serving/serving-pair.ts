// The certificate of an HTTPS port: from files, read again when they change, else one of our own, in memory or in a folder.
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { Cancel, Clock } from '../../clock.ts'
import { type Log, messageOf } from '../../log.ts'
import { InputError } from '../../problem.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '../certificates.ts'

/** What is issued where no pair is there. */
interface OwnPair {
  /** Common name of the leaf; `<name>-ca` is its authority. */
  readonly name: string
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
  readonly lifeMs: number
  /** Written into the directory, for the next start. Where that cannot be written it stays in memory, and the log says so. */
  readonly isWritten: boolean
}

interface PairSettings {
  readonly address: string
  /** A pair `apiserver.crt` and `apiserver.key` in it is served. */
  readonly certificateDirectory: string
  readonly certificateFile: string
  readonly keyFile: string
}

interface PairFiles {
  readonly certificate: string
  readonly key: string
}

const lookAgainMs = 60_000

interface ServingPair extends Disposable {
  readonly current: KeyPair
  /** Signed by ourselves, in memory. */
  readonly isOwn: boolean
  /** Tells of each new pair until disposed of; a pair that `use` throws at is not taken. */
  onChange(use: (pair: KeyPair) => void): void
}

/** @throws InputError where files are named that cannot be served */
export async function servingPair(
  settings: PairSettings,
  own: OwnPair,
  around: { readonly clock: Clock; readonly log: Log },
): Promise<ServingPair> {
  const files = filesOf(settings)
  if (files !== undefined) return await watchedPair(files, around)
  const current = await ownPair(settings.address, own, around.clock.now())
  if (own.isWritten && settings.certificateDirectory !== '') await written(current, settings.certificateDirectory, around.log)
  return { current, isOwn: true, onChange: () => undefined, [Symbol.dispose]: () => undefined }
}

/** @throws InputError where the files cannot be served */
export async function watchedPair(files: PairFiles, around: { readonly clock: Clock; readonly log: Log }): Promise<ServingPair> {
  return new FilePair(files, await firstPair(files), around)
}

async function written({ certificate, key }: KeyPair, directory: string, log: Log): Promise<void> {
  const files = inside(directory)
  try {
    await mkdir(directory, { recursive: true })
    await writeFile(files.key, key, { mode: 0o600 })
    await writeFile(files.certificate, certificate)
    log.info({ ...files }, 'Generated self-signed cert')
  } catch (error) {
    log.warn({ directory, why: messageOf(error) }, 'the certificate that was made cannot be written: it is kept in memory')
  }
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
  const files = inside(certificateDirectory)
  return existsSync(files.certificate) && existsSync(files.key) ? files : undefined
}

function inside(directory: string): PairFiles {
  return { certificate: join(directory, 'apiserver.crt'), key: join(directory, 'apiserver.key') }
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

async function ownPair(address: string, own: OwnPair, nowMs: number): Promise<KeyPair> {
  const stamp = Math.floor(nowMs / 1000)
  const authority = await issueAuthority({ commonName: `${own.name}-ca@${stamp}`, nowMs, lifeMs: own.lifeMs })
  const isNamed = isIP(address) !== 0 && address !== '0.0.0.0' && address !== '::'
  const leaf = await issueLeaf(authority, {
    commonName: `${own.name}@${stamp}`,
    dnsNames: own.dnsNames,
    ipAddresses: [...own.ipAddresses, ...(isNamed && !own.ipAddresses.includes(address) ? [address] : [])],
    usages: ['server'],
    nowMs,
    lifeMs: own.lifeMs,
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
  #use: (pair: KeyPair) => void = () => undefined

  constructor(files: PairFiles, first: KeyPair, around: { readonly clock: Clock; readonly log: Log }) {
    this.#files = files
    this.#current = first
    this.#around = around
    this.#lookLater()
  }

  get current(): KeyPair {
    return this.#current
  }

  onChange(use: (pair: KeyPair) => void): void {
    this.#use = use
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    this.#cancel()
  }

  #lookLater(): void {
    if (this.#isOver) return
    this.#cancel = this.#around.clock.schedule(lookAgainMs, () => void this.#look().then(() => this.#lookLater()))
  }

  /** What cannot be served leaves what was there before. */
  async #look(): Promise<void> {
    const { log, clock } = this.#around
    using _ = clock.hold()
    const facts = { certificate: this.#files.certificate }
    try {
      const found = await pairIn(this.#files)
      if (this.#isOver) return
      if (found.certificate === this.#current.certificate && found.key === this.#current.key) return
      this.#use(found)
      this.#current = found
      log.info(facts, 'the serving certificate was renewed')
    } catch (error) {
      log.warn({ ...facts, why: messageOf(error) }, 'the serving certificate cannot be used, the old one stays')
    }
  }
}
